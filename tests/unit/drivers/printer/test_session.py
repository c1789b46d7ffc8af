"""One connection in a time of its own: what is waited for, for how long, and what a silence means."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from drivers.errors import DeviceUnavailable
from drivers.printer._session import Session
from drivers.printer.confirm import PaperStatusConfirmation, ReplyKind, StarCounterConfirmation, Verdict
from drivers.printer.models import printer_model
from drivers.printer.profile import PrinterProfile
from drivers.printer.settings import PrinterSettings
from drivers.printer.status import PrinterCondition

REAL_TIME = printer_model("bematech-mp-4200").profile()
WELL, OPEN = b"\x12\x12", b"\x16\x12"
POLL = b"\x10\x04\x02\x10\x04\x04"


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return datetime(2026, 3, 14, tzinfo=UTC)


class Printer:
    """Says things at given times, and answers each question of status at once while it lives."""

    def __init__(self, time: Time, says: Iterable[tuple[float, bytes]] = (), status: bytes = WELL) -> None:
        self.time = time
        self.says = sorted((time.now_s + after_s, data) for after_s, data in says)
        self.status = status
        self.lives = True
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        if data == POLL and self.lives:
            self.says.insert(0, (self.time.now_s, self.status))

    def receive(self, timeout_s: float) -> bytes:
        until_s = self.time.now_s + max(timeout_s, 0.0)
        if not self.says or self.says[0][0] > until_s:
            self.time.now_s = until_s
            return b""
        at_s, data = self.says.pop(0)
        self.time.now_s = max(self.time.now_s, at_s)
        return data

    def close(self) -> None:
        pass


class Rig:
    """A session on a scripted printer, with the conditions that it told and when."""

    def __init__(self, profile: PrinterProfile, *says: tuple[float, bytes]) -> None:
        self.time = Time()
        self.printer = Printer(self.time, says)
        self.told: list[frozenset[PrinterCondition]] = []
        self.stop_s = float("inf")
        self.session = Session(
            PrinterSettings(name="p", transport="tcp", address="h", profile=profile, confirm_timeout_s=15.0),
            self.printer,
            self.told.append,
            clock=self.time,
            stop_deadline_s=lambda: self.stop_s,
        )

    def printed(self) -> Verdict | None:
        return self.session.await_reply(PaperStatusConfirmation(1).verdict, 15.0)


def tended_until_silent(rig: Rig) -> float:
    """Tend the session as a printer's thread does; return the time at which it gave the printer up."""
    for _ in range(1000):
        try:
            rig.session.tend()
        except DeviceUnavailable:
            return rig.time.now_s
        rig.time.now_s += 0.1
    raise AssertionError("never given up")


def test_escpos_07_what_was_said_before_is_thrown_away() -> None:
    rig = Rig(PrinterProfile(), (0.0, b"\x14\x00\x00\x0f"), (0.0, b"\x00"))
    rig.session.greet()
    assert rig.session.await_reply(lambda reply: reply, 1.0) is None
    assert rig.printer.sent == []


def test_a_greeting_gets_the_first_status_and_none_is_no_printer() -> None:
    rig = Rig(REAL_TIME)
    rig.session.greet()
    assert rig.told == [{PrinterCondition.COVER_OK, PrinterCondition.REC_PAPEROK}]
    silent = Rig(REAL_TIME)
    silent.printer.lives = False
    with pytest.raises(DeviceUnavailable, match="paper and its cover"):
        silent.session.greet()
    assert silent.time.now_s - 100.0 == pytest.approx(3.0)


def test_escpos_06_a_silence_is_told_within_a_second() -> None:
    rig = Rig(REAL_TIME)
    rig.session.greet()
    rig.session.tend()
    rig.printer.lives = False
    begun_s = rig.time.now_s
    assert tended_until_silent(rig) - begun_s < 1.0


def test_a_change_that_is_only_asked_for_is_told_within_a_second() -> None:
    rig = Rig(REAL_TIME)
    rig.session.greet()
    rig.printer.status = OPEN
    begun_s = rig.time.now_s
    while not rig.session.is_prevented:
        rig.session.tend()
        rig.time.now_s += 0.1
        assert rig.time.now_s - begun_s < 1.0


def test_an_answer_counts_until_its_time_is_over() -> None:
    assert Rig(PrinterProfile(), (14.9, b"\x00")).printed() is Verdict.PRINTED
    assert Rig(PrinterProfile(), (15.1, b"\x00")).printed() is None
    assert Rig(PrinterProfile(), (1.0, b"\x11\x12"), (2.0, b"\x0c")).printed() is Verdict.UNKNOWN


def test_the_time_stands_still_under_an_open_cover_and_not_for_ever() -> None:
    patient = Rig(REAL_TIME, (500.0, b"\x00"))
    patient.printer.status = OPEN
    assert patient.printed() is Verdict.PRINTED
    endless = Rig(REAL_TIME)
    endless.printer.status = OPEN
    assert endless.printed() is None
    assert 600.0 <= endless.time.now_s - 100.0 <= 620.0


def test_stopping_ends_the_waiting() -> None:
    rig = Rig(REAL_TIME)
    rig.printer.status = OPEN
    rig.stop_s = 101.0
    assert rig.printed() is None
    assert rig.time.now_s - 100.0 < 1.5


def test_a_star_is_asked_again_and_again_until_its_counter_has_moved() -> None:
    def status(counter: int) -> bytes:
        return bytes([0x23, 0x06, 0, 0, 0, 0, 0, counter << 1, 0])

    rig = Rig(printer_model("star-tsp650").profile(status="none"), (0.5, status(3)), (2.0, status(3)), (5.0, status(4)))
    job = StarCounterConfirmation(1)
    rig.session.make_ready(job)
    assert rig.session.await_reply(job.verdict, 15.0, poll=job.poll) is Verdict.PRINTED
    assert rig.printer.sent.count(job.poll) > 5


def test_every_reply_reaches_the_status_even_behind_the_one_that_was_waited_for() -> None:
    rig = Rig(printer_model("epson-tm-t88").profile(), (1.0, b"\x00\x38\x00\x00\x0f"))
    kinds = rig.session.await_reply(lambda reply: reply.kind if reply.kind is ReplyKind.STATUS else None, 5.0)
    assert kinds is ReplyKind.STATUS
    assert rig.session.is_prevented


def test_a_printer_that_cannot_print_is_not_ready() -> None:
    rig = Rig(printer_model("star-tsp650").profile(status="none"))
    with pytest.raises(DeviceUnavailable, match="paper and its cover"):
        rig.session.make_ready(StarCounterConfirmation(1))
