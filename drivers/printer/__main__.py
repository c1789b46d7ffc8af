"""A printer twin as a program, for those who write a POS and have no printer: shows each receipt as text and as PNG.

`python -m drivers.printer --port 9100 --pictures receipts` until Ctrl-C. It prints to the standard output alone.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from drivers.printer.twin import PrinterTwin, SerialPrinterTwin, TwinDialect

__all__ = ["main"]

_TICK_S = 0.1


def main(arguments: Sequence[str] | None = None, *, stop: threading.Event | None = None) -> int:
    """Run the twin until Ctrl-C, or until `stop` is set; 0, or 2 where it cannot listen."""
    options = _parser().parse_args(arguments)
    dialect: TwinDialect = "star" if options.star else "escpos"
    try:
        twin: PrinterTwin | SerialPrinterTwin
        if options.serial:
            twin = SerialPrinterTwin(columns=options.columns, dots=options.dots, dialect=dialect)
        else:
            twin = PrinterTwin(columns=options.columns, dots=options.dots, dialect=dialect, port=options.port)
        if options.pictures is not None:
            options.pictures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"the twin cannot be started ({error}): choose another --port or --pictures", file=sys.stderr)
        return 2
    with twin:
        where = twin.path if isinstance(twin, SerialPrinterTwin) else twin.address
        _say({"printer": where}, f"A printer is at {where}. Ctrl-C switches it off.", as_json=options.json)
        _show(twin, options.pictures, stop or threading.Event(), as_json=options.json)
    return 0


def _show(
    twin: PrinterTwin | SerialPrinterTwin, pictures: Path | None, stop: threading.Event, *, as_json: bool
) -> None:
    shown = 0
    try:
        while not stop.wait(_TICK_S):
            while shown < twin.receipts_cut:
                shown += 1
                _show_one(twin, shown, pictures, as_json=as_json)
    except KeyboardInterrupt:
        return


def _show_one(twin: PrinterTwin | SerialPrinterTwin, number: int, pictures: Path | None, *, as_json: bool) -> None:
    receipt = twin.receipt(number)
    facts: dict[str, object] = {"receipt": number, "text": receipt.text, "drawer_pulses": twin.drawer_pulses}
    if pictures is not None:
        path = pictures / f"receipt-{number:04}.png"
        path.write_bytes(receipt.png())
        facts["picture"] = str(path)
    _say(facts, f"--- receipt {number}\n{receipt.text}", as_json=as_json)


def _say(facts: dict[str, object], text: str, *, as_json: bool) -> None:
    print(json.dumps(facts, ensure_ascii=False) if as_json else text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m drivers.printer",
        description="Be a receipt printer on this machine: take jobs, answer as a printer does, show the paper.",
    )
    parser.add_argument("--port", type=int, default=9100, help="the TCP port on 127.0.0.1; 0 takes a free one (9100)")
    parser.add_argument("--serial", action="store_true", help="be on a pseudo-terminal instead, whose path is printed")
    parser.add_argument("--star", action="store_true", help="speak Star's commands instead of ESC/POS")
    parser.add_argument(
        "--columns",
        type=int,
        default=42,
        help="characters on a line, as the agent has them: 42 of `generic`, 48 of `epson-tm-t20` and most others (42)",
    )
    parser.add_argument("--dots", type=int, default=576, help="width of the paper in dots: 576 is 80 mm, 384 is 58 mm")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep each receipt as a PNG in this folder")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each receipt")
    return parser


if __name__ == "__main__":
    # A shell's background job starts with Ctrl-C ignored, and a service manager sends SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
