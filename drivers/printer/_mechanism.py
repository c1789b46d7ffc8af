"""What moves inside of a printer twin: it takes bytes, prints, answers, and does wrong when it is told to. No I/O."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from drivers.printer._paper import Paper
from drivers.printer._star_paper import StarPaper

__all__ = ["Mechanism", "TwinDialect", "TwinFault"]

TwinDialect = Literal["escpos", "star"]

_HELD_BYTES_MAX = 1024 * 1024
_PROCESS_ID = re.compile(rb"\x37\x22.{4}\x00", re.DOTALL)
_WRONG_PROCESS_ID = b"\x37\x22~~~~\x00"


class TwinFault(StrEnum):
    """What the printer does wrong with its answer to a receipt that it has printed."""

    NONE = "none"
    SILENT = "silent"
    WRONG_ID = "wrong_id"
    HALF_ANSWER = "half_answer"


class Mechanism:
    """One printer behind any number of wires; `push` sends what it tells by itself to all of them.

    answering: when False it takes every byte and prints, and says nothing.
    printing: when False it takes every byte, prints nothing and says nothing; what it took is printed when it is
    True again and more bytes come.
    """

    def __init__(self, *, dialect: TwinDialect, columns: int, receipts_max: int, push: Callable[[bytes], None]) -> None:
        self.answering = True
        self.printing = True
        self.fault = TwinFault.NONE
        make = StarPaper if dialect == "star" else Paper
        self.paper: Paper | StarPaper = make(columns=columns, receipts_max=receipts_max)
        self.lock = threading.Lock()
        self._push = push
        self._held = bytearray()
        self._owes_answer = False

    def take(self, data: bytes) -> bytes:
        """Take bytes from a wire and return the answer to them."""
        with self.lock:
            self._held += data
            if not self.printing:
                del self._held[_HELD_BYTES_MAX:]
                return b""
            if self.paper.prevented:
                answer, rest = self.paper.real_time(bytes(self._held))
                self._held[:] = rest[:_HELD_BYTES_MAX]
            else:
                answer = self._print()
            return answer if self.answering else b""

    def set_sensors(
        self, *, cover_open: bool | None = None, paper_out: bool | None = None, paper_near_end: bool | None = None
    ) -> None:
        """Open the cover, take the paper out, put both right; what was held back is printed then."""
        with self.lock:
            given = {"cover_open": cover_open, "paper_out": paper_out, "paper_near_end": paper_near_end}
            for name, value in given.items():
                if value is not None:
                    setattr(self.paper, name, value)
            told = self.paper.changed()
            if not self.paper.prevented and self.printing:
                told += self._print()
        if told and self.answering:
            self._push(told)

    def lose_power(self) -> None:
        """Forget what is not printed."""
        with self.lock:
            self._held.clear()

    def lose_wire(self) -> None:
        """Forget a command that was cut off."""
        with self.lock:
            self.paper.lose_partial()

    def _print(self) -> bytes:
        before = self.paper.receipts_cut
        answer = self.paper.feed(bytes(self._held))
        self._held.clear()
        self._owes_answer = self._owes_answer or self.paper.receipts_cut > before
        if not answer or not self._owes_answer:
            return answer
        self._owes_answer = False
        return self._spoiled(answer)

    def _spoiled(self, answer: bytes) -> bytes:
        if self.fault is TwinFault.SILENT:
            return b""
        if self.fault is TwinFault.WRONG_ID:
            return _PROCESS_ID.sub(_WRONG_PROCESS_ID, answer)
        return answer[: len(answer) // 2] if self.fault is TwinFault.HALF_ANSWER else answer
