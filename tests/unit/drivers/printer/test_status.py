"""Cover and paper, in three languages, told once for each change and never as well when nothing was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.confirm import Reply, ReplySplitter, StarReplySplitter
from drivers.printer.models import printer_model
from drivers.printer.profile import PrinterProfile
from drivers.printer.status import PrinterCondition, StatusWatch, after, changes, holding, status_watch

OPEN, OK = PrinterCondition.COVER_OPEN, PrinterCondition.COVER_OK
EMPTY, NEAR, PAPER = PrinterCondition.REC_EMPTY, PrinterCondition.REC_NEAREMPTY, PrinterCondition.REC_PAPEROK


def watch_of(model: str, status: str) -> StatusWatch:
    watch = status_watch(printer_model(model).profile(status=status))  # type: ignore[arg-type]  # Real methods.
    assert watch is not None
    return watch


def test_the_numbers_are_those_of_unifiedpos() -> None:
    assert [condition.unifiedpos_code for condition in (OPEN, OK, EMPTY, NEAR, PAPER)] == [11, 12, 24, 25, 26]
    assert {condition for condition in PrinterCondition if condition.remedy} == holding(frozenset(PrinterCondition))


@pytest.mark.parametrize(
    ("told", "conditions"),
    [
        (b"\x10\x00\x00\x0f", {OK, PAPER}),
        (b"\x38\x00\x00\x0f", {OPEN, PAPER}),
        (b"\x10\x00\x03\x0f", {OK, NEAR}),
        (b"\x18\x00\x0f\x0f", {OK, EMPTY}),
    ],
)
def test_automatic_status(told: bytes, conditions: set[PrinterCondition]) -> None:
    watch = watch_of("epson-tm-t88", "automatic")
    assert (watch.opening, watch.poll) == (b"\x1da\x0e", b"\x10\x04\x02\x10\x04\x04")
    assert not any(watch.take(reply) for reply in ReplySplitter().feed(told))
    assert watch.conditions == conditions


def test_escpos_07_automatic_status_comes_through_among_other_replies() -> None:
    watch = watch_of("epson-tm-t88", "automatic")
    mixed = b"\x11\x12\x38\x00\x00\x0f\x37\x22!!!!\x00\x00\x12\x13\x38\x00\x03\x0f"
    answered = [watch.take(reply) for reply in ReplySplitter().feed(mixed)]
    assert answered == [False, False, False, False, False, True, False, False]
    assert watch.conditions == {OPEN, NEAR}


@pytest.mark.parametrize(
    ("answers", "conditions"),
    [
        (b"\x12\x12", {OK, PAPER}),
        (b"\x16\x12", {OPEN, PAPER}),
        (b"\x12\x1e", {OK, NEAR}),
        (b"\x32\x72", {OK, EMPTY}),
    ],
)
def test_real_time_status(answers: bytes, conditions: set[PrinterCondition]) -> None:
    watch = watch_of("bematech-mp-4200", "real_time")
    assert watch.poll == b"\x10\x04\x02\x10\x04\x04"
    assert [watch.take(reply) for reply in ReplySplitter().feed(answers)] == [False, True]
    assert watch.conditions == conditions


@pytest.mark.parametrize(
    ("printer", "paper", "conditions"),
    [(0, 0, {OK, PAPER}), (0x28, 0, {OPEN, PAPER}), (0, 0x04, {OK, NEAR}), (0x08, 0x0C, {OK, EMPTY})],
)
def test_the_status_of_a_star(printer: int, paper: int, conditions: set[PrinterCondition]) -> None:
    watch = watch_of("star-tsp650", "automatic")
    told = bytes([0x23, 0x06, printer, 0, 0, paper, 0, 0, 0])
    assert [watch.take(reply) for reply in StarReplySplitter().feed(told)] == [True]
    assert watch.conditions == conditions


def test_escpos_06_silence_is_no_status() -> None:
    for model, status in (("epson-tm-t88", "automatic"), ("bematech-mp-4200", "real_time")):
        assert watch_of(model, status).conditions == frozenset()
    assert status_watch(PrinterProfile()) is None


@given(st.sampled_from(["epson-tm-t88", "bematech-mp-4200", "star-tsp650"]), st.binary(max_size=40))
def test_no_bytes_upset_a_watch(model: str, data: bytes) -> None:
    profile = printer_model(model).profile()
    watch = status_watch(profile)
    assert watch is not None
    for reply in (StarReplySplitter() if profile.dialect == "star_line" else ReplySplitter()).feed(data):
        watch.take(reply)
    assert len(watch.conditions) <= 2


def test_only_changes_are_told_and_that_all_is_well_only_after_trouble() -> None:
    told: frozenset[PrinterCondition] = frozenset()
    story = []
    for now in ({OK, PAPER}, {OPEN, PAPER}, {OPEN, PAPER}, set(), {OK, NEAR}, {OK, EMPTY}, {OK, PAPER}):
        story.append(list(changes(told, frozenset(now))))
        told = after(told, frozenset(now))
    assert story == [[], [OPEN], [], [], [OK, NEAR], [EMPTY], [PAPER]]


def test_a_watch_answers_only_to_its_own_kind_of_reply() -> None:
    watch = watch_of("star-tsp650", "automatic")
    assert not any(watch.take(reply) for reply in ReplySplitter().feed(b"\x12\x00"))
    short = Reply(kind=ReplySplitter().feed(b"\x14\x00\x00\x0f")[0].kind, data=b"\x05\x00")
    assert not watch.take(short)
