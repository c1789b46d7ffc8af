"""The recorded process: registers in threads on the product's store and writer, with a restart in the middle.

Started by `recording.py` with the recorder loaded. Without `--close` it ends untidily: the write-ahead log stays as it
is, as after a crash.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from sync.journal import watermark
from sync.store import Command
from sync.transaction import Transaction
from sync.writer import Writer
from tests.crash import rig
from tests.crash.recorder import ACKNOWLEDGEMENTS
from tests.crash.register import Json, Register

__all__ = ["SYNCHRONOUS"]

SYNCHRONOUS = {"OFF": 0, "NORMAL": 1, "FULL": 2}
# A checkpoint every few commits: most of what can go wrong goes wrong there.
CHECKPOINT_PAGES = 40


def main() -> None:
    """Run the workload."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--synchronous", choices=SYNCHRONOUS, default="FULL")
    parser.add_argument("--seed", required=True)
    parser.add_argument("--registers", type=int, default=3)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--close", action="store_true")
    parser.add_argument("--prune", action="store_true")
    arguments = parser.parse_args()
    event.listen(Pool, "checkout", _weaken(arguments.synchronous))
    acknowledge = _acknowledger(arguments.directory)
    for half in range(2):
        shop = _Shop(arguments, acknowledge, f"{arguments.seed}/{half}")
        shop.sell(arguments.steps // 2)
        if half == 0 or arguments.close:
            shop.close()
    os._exit(0)


def _weaken(synchronous: str) -> Callable[..., None]:
    """Set the pragmas of this workload. FULL is left to the product: it is what is to be proved."""

    def checkout(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if synchronous != "FULL":
            connection.execute(f"PRAGMA synchronous = {synchronous}")

    return checkout


def _acknowledger(directory: Path) -> Callable[[Json], None]:
    """Write each line in one call, which the recorder puts in order among the journal's own."""
    descriptor = os.open(directory / ACKNOWLEDGEMENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return lambda line: _write_whole(descriptor, json.dumps(line).encode() + b"\n")


def _write_whole(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    assert written == len(data), "an acknowledgement was written in part"


class _Shop:
    """One life of the store: opened, sold on by several registers at once, perhaps closed."""

    def __init__(self, arguments: argparse.Namespace, acknowledge: Callable[[Json], None], series: str) -> None:
        self._store = rig.store_at(arguments.directory)
        self._store.open()
        with self._store.reading() as connection:
            acknowledge({"kind": "opened", "journal": watermark(connection).journal})
        self._writer = Writer(self._store)
        self._writer.start()
        self._writer.call(rig.StoreProgramme())
        assert self._writer.call(_synchronous) == SYNCHRONOUS[arguments.synchronous]
        self._registers = [
            Register(
                name=str(number),
                series=series,
                random=Random(f"{series}/{number}"),
                call=self._call,
                acknowledge=acknowledge,
                prunes=arguments.prune,
            )
            for number in range(arguments.registers)
        ]

    def sell(self, steps: int) -> None:
        """Let every register do its share of the steps."""
        threads = [threading.Thread(target=_work, args=(one, steps)) for one in self._registers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Stop as the agent does."""
        self._writer.stop()
        self._store.close()

    def _call(self, make: Callable[[], Command]) -> Any:
        return self._writer.call(make())


def _work(register: Register, steps: int) -> None:
    for _ in range(steps):
        register.step()


def _synchronous(transaction: Transaction) -> int:
    level: int = transaction.execute("PRAGMA synchronous").scalar_one()
    return level


if __name__ == "__main__":
    main()
