"""Fuzz of everything that can reach paper: hostile texts in every field of receipts, and no command but the template's.

An input is one text in one field. Receipts of sales go the whole way from the recorded entry, documents of every
element go through `drivers` alone; both are rendered for every language of printers that takes text, as whole jobs
and as blocks, and their bytes are held against `tests.fuzz.grammar`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.receipts import example_receipt
from drivers.errors import DocumentInvalid
from drivers.printer.document import (
    Align,
    Barcode,
    Columns,
    Cut,
    Document,
    Element,
    QrCode,
    Rule,
    TextLine,
)
from drivers.printer.models import printer_models
from drivers.printer.profile import PrinterProfile
from drivers.printer.render import render_block, render_document
from drivers.printer.text import encode
from terminal_agent.receipts import loyalty_document, receipt_document
from tests.fuzz.grammar import foreign_bytes, tokens
from tests.fuzz.hostile import Hostile

SEED = 20260314
# The picture of a receipt holds dots alone: there is nothing in it for a text to become.
PROFILES = tuple(
    model.profile(code_page=page)
    for model in printer_models().values()
    if model.dialect != "star_raster"
    for page in model.code_pages or [model.code_page]
)


class Fuzz:
    """Renders hostile receipts; `faults` holds what came through, each with the seed to see it again."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.hostile = Hostile(self.random)
        self.receipts = 0
        self.refused = 0
        self.faults: list[str] = []
        self._example = example_receipt()

    def step(self) -> None:
        """Render one more receipt for one more printer."""
        profile = PROFILES[self.receipts % len(PROFILES)]
        whole = self.receipts % 3 != 0
        self.receipts += 1
        try:
            document = self._sale(whole=whole) if self.random.random() < 0.5 else self._document()
        except DocumentInvalid:
            # Refused is as good as harmless.
            self.refused += 1
            return
        data = (render_document if whole else render_block)(document, profile)
        self._check(data, profile, resets=whole)

    def _sale(self, *, whole: bool) -> Document:
        receipt = self.hostile.filled(self._example)
        if whole:
            return receipt_document(receipt, copy=self.random.random() < 0.2)
        return loyalty_document(receipt)

    def _document(self) -> Document:
        return Document(elements=(*self._elements(), Cut()))

    def _elements(self) -> Iterator[Element]:
        for make in self.random.choices(_MAKERS, k=6):
            try:
                yield make(self.hostile)
            except DocumentInvalid:
                continue

    def _check(self, data: bytes, profile: PrinterProfile, *, resets: bool) -> None:
        found = list(tokens(data, profile.dialect))
        foreign = [token for token, is_known in found if not is_known]
        if foreign or sum(token == b"\x1b@" for token, _ in found) != resets:
            self.faults.append(f"{foreign} on {profile.model} {profile.code_page}, receipt {self.receipts}")


def _rule(hostile: Hostile) -> Element:
    return Rule(character=hostile.text()[:1])


_MAKERS: tuple[Callable[[Hostile], Element], ...] = (
    lambda hostile: TextLine(text=hostile.text(), bold=True, align=Align.CENTER),
    lambda hostile: TextLine(text=hostile.text(), double_height=True, double_width=True),
    lambda hostile: Columns(left=hostile.text(), right=hostile.text()),
    _rule,
    lambda hostile: QrCode(data=hostile.text()),
    lambda hostile: Barcode(data=hostile.text()),
)


def run(inputs: int, *, seed: int = SEED, advance: Callable[[int], None] = lambda count: None) -> Fuzz:
    """Fuzz until so many texts went in."""
    fuzz, told = Fuzz(seed), 0
    while fuzz.hostile.count < inputs:
        fuzz.step()
        if fuzz.receipts % 100 == 0:
            advance(fuzz.hostile.count - told)
            told = fuzz.hostile.count
    return fuzz


def control() -> list[bytes]:
    """What the grammar says of bytes that a renderer without care would send: each must be found."""
    careless = [f"{text}\n".encode("latin-1") for text in ("\x1bp\x00\x19\xfa", "\x07", "a\x1b@b\x00")]
    careful = encode("João\x1bp", "cp858") + b"\n"
    assert foreign_bytes(careful, "escpos") == b""
    return [foreign_bytes(data, "escpos") for data in careless]


def main() -> int:
    """Run from the command line: 0 when nothing came through."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.receipts", description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many texts, one in each field")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed gives the same receipts")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    console, begun_s = Console(stderr=True), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("receipts", total=options.inputs)
        fuzz = run(options.inputs, seed=options.seed, advance=lambda count: progress.advance(task, count))
    result = {
        "inputs": fuzz.hostile.count,
        "receipts": fuzz.receipts,
        "refused": fuzz.refused,
        "printers": len(PROFILES),
        "faults": len(fuzz.faults),
        "seconds": round(time.monotonic() - begun_s, 1),
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(", ".join(f"{name}: {value:,}" for name, value in result.items()))
        print(*fuzz.faults[:20], sep="\n")
    return 1 if fuzz.faults else 0


if __name__ == "__main__":
    sys.exit(main())
