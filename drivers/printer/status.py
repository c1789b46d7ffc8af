"""What a printer says of its cover, its paper and itself: three ways to ask, one way to tell. Does no I/O.

Laws:
1. What was not said is unknown, and unknown is never reported as well.
2. Only changes are reported, in the words and numbers of UnifiedPOS.

Sources: Epson ESC/POS Application Programming Guide, GS a and DLE EOT; Star Micronics STAR Line Mode Command
Specifications, chapter 5.2.3 (automatic status); UnifiedPOS 1.14, POSPrinter, StatusUpdateEvent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from drivers.printer.confirm import Reply, ReplyKind
from drivers.printer.profile import PrinterProfile

__all__ = ["PrinterCondition", "StatusWatch", "after", "changes", "holding", "status_watch"]


class PrinterCondition(StrEnum):
    """The conditions that a printer's StatusUpdateEvent tells (UnifiedPOS, PTR_SUE_…)."""

    COVER_OPEN = "cover_open"
    COVER_OK = "cover_ok"
    REC_EMPTY = "rec_empty"
    REC_NEAREMPTY = "rec_nearempty"
    REC_PAPEROK = "rec_paperok"

    @property
    def unifiedpos_code(self) -> int:
        """The number of the constant, as in PTR_SUE_COVER_OPEN 11."""
        return _CODES[self]

    @property
    def remedy(self) -> str:
        """What to do, or "" where all is well."""
        return _REMEDIES.get(self, "")

    @property
    def prevents_printing(self) -> bool:
        """Say whether nothing is printed while this holds."""
        return self in (PrinterCondition.COVER_OPEN, PrinterCondition.REC_EMPTY)


_CODES = {
    PrinterCondition.COVER_OPEN: 11,
    PrinterCondition.COVER_OK: 12,
    PrinterCondition.REC_EMPTY: 24,
    PrinterCondition.REC_NEAREMPTY: 25,
    PrinterCondition.REC_PAPEROK: 26,
}
_REMEDIES = {
    PrinterCondition.COVER_OPEN: "the printer's cover is open: close it",
    PrinterCondition.REC_EMPTY: "the printer is out of paper: put a new roll in",
    PrinterCondition.REC_NEAREMPTY: "the printer's paper is nearly at its end: have a new roll at hand",
}
_WELL = {PrinterCondition.COVER_OK, PrinterCondition.REC_PAPEROK}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What was said so far; None is not known."""

    cover: PrinterCondition | None = None
    paper: PrinterCondition | None = None


def holding(conditions: frozenset[PrinterCondition]) -> frozenset[PrinterCondition]:
    """Return those of the conditions that are trouble."""
    return conditions - _WELL


def changes(told: frozenset[PrinterCondition], now: frozenset[PrinterCondition]) -> Iterator[PrinterCondition]:
    """Return what is to be told: what is new, but nobody is told that all is well who heard of nothing else."""
    subjects = {_subject(condition) for condition in told}
    for condition in sorted(now - told, key=lambda one: one.unifiedpos_code):
        if condition not in _WELL or _subject(condition) in subjects:
            yield condition


def after(told: frozenset[PrinterCondition], now: frozenset[PrinterCondition]) -> frozenset[PrinterCondition]:
    """Return what is told when `now` was: of each subject the latest."""
    subjects = {_subject(condition) for condition in now}
    return now | {condition for condition in told if _subject(condition) not in subjects}


def _subject(condition: PrinterCondition) -> str:
    return condition.value.partition("_")[0]


class StatusWatch(Protocol):
    """Asks one printer for its status, and understands what it says."""

    @property
    def opening(self) -> bytes:
        """What is sent first on a new connection."""
        ...

    @property
    def poll(self) -> bytes:
        """What a printer that is alive answers at once, even with its cover open."""
        ...

    @property
    def conditions(self) -> frozenset[PrinterCondition]:
        """What is known now."""
        ...

    def take(self, reply: Reply) -> bool:
        """Take a reply into account; return whether it answers `poll` as a whole."""
        ...


class _Watch:
    """Keeps the facts of one connection."""

    def __init__(self) -> None:
        self._facts = _Facts()

    @property
    def conditions(self) -> frozenset[PrinterCondition]:
        return frozenset(fact for fact in (self._facts.cover, self._facts.paper) if fact is not None)

    def _set_cover(self, *, is_open: bool) -> None:
        cover = PrinterCondition.COVER_OPEN if is_open else PrinterCondition.COVER_OK
        self._facts = replace(self._facts, cover=cover)

    def _set_paper(self, *, near_end: bool, end: bool) -> None:
        well = PrinterCondition.REC_NEAREMPTY if near_end else PrinterCondition.REC_PAPEROK
        self._facts = replace(self._facts, paper=PrinterCondition.REC_EMPTY if end else well)


class RealTimeWatch(_Watch):
    """DLE EOT 2 (why it is offline) and 4 (paper), which a printer answers while it waits, prints or is open."""

    opening = b""
    poll = b"\x10\x04\x02\x10\x04\x04"
    _REPLIES = 2

    def __init__(self) -> None:
        super().__init__()
        # The two answers look alike: only their order tells them apart.
        self._answered = 0

    def take(self, reply: Reply) -> bool:
        if reply.kind is not ReplyKind.REAL_TIME_STATUS:
            return False
        status = reply.data[0]
        if self._answered == 0:
            self._set_cover(is_open=bool(status & 0x04))
        else:
            self._set_paper(near_end=bool(status & 0x0C), end=bool(status & 0x60))
        self._answered = (self._answered + 1) % self._REPLIES
        return self._answered == 0


class AutomaticWatch(RealTimeWatch):
    """GS a: the printer tells by itself, at once. It is asked too, because GS a is not obeyed under an open cover."""

    # Changes of being online, of errors and of the paper sensors; the drawer's switch is not ours to watch.
    opening = b"\x1da\x0e"

    def take(self, reply: Reply) -> bool:
        if reply.kind is not ReplyKind.AUTOMATIC_STATUS or len(reply.data) != 4:
            return super().take(reply)
        printer, _, paper, _ = reply.data
        self._set_cover(is_open=bool(printer & 0x20))
        self._set_paper(near_end=bool(paper & 0x03), end=bool(paper & 0x0C))
        return False


class StarWatch(_Watch):
    """ESC ACK SOH, which gets a Star's automatic status at once, whether that is switched on or not."""

    opening = b""
    poll = b"\x1b\x06\x01"
    _PRINTER, _PAPER = 2, 5

    def take(self, reply: Reply) -> bool:
        if reply.kind is not ReplyKind.AUTOMATIC_STATUS or len(reply.data) <= self._PAPER:
            return False
        self._set_cover(is_open=bool(reply.data[self._PRINTER] & 0x20))
        paper = reply.data[self._PAPER]
        self._set_paper(near_end=bool(paper & 0x06), end=bool(paper & 0x08))
        return True


_WATCHES: Mapping[str, type[RealTimeWatch | AutomaticWatch]] = {
    "real_time": RealTimeWatch,
    "automatic": AutomaticWatch,
}


def status_watch(profile: PrinterProfile) -> StatusWatch | None:
    """Return what asks this printer; None where nothing is asked."""
    if profile.status == "none":
        return None
    return StarWatch() if profile.dialect.startswith("star") else _WATCHES[profile.status]()
