"""Replies are told apart by their fixed bits, and only a job's own reply says that it printed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.confirm import (
    NoConfirmation,
    PaperStatusConfirmation,
    ProcessIdConfirmation,
    Reply,
    ReplyKind,
    ReplySplitter,
    StarCounterConfirmation,
    StarReplySplitter,
    Verdict,
    process_id,
)


def kinds(data: bytes) -> list[ReplyKind]:
    return [reply.kind for reply in ReplySplitter().feed(data)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x00", ReplyKind.STATUS),
        (b"\x0c", ReplyKind.STATUS),
        (b"\x12", ReplyKind.REAL_TIME_STATUS),
        (b"\x16", ReplyKind.REAL_TIME_STATUS),
        (b"\x14\x00\x00\x0f", ReplyKind.AUTOMATIC_STATUS),
        (b"\x11", ReplyKind.XON),
        (b"\x13", ReplyKind.XOFF),
        (b"\x37\x22abcd\x00", ReplyKind.BLOCK),
        (b"\x5fTM-T88V\x00", ReplyKind.BLOCK),
        (b"\xff", ReplyKind.UNKNOWN),
    ],
)
def test_escpos_07_fixed_bits_tell_replies_apart(data: bytes, kind: ReplyKind) -> None:
    assert kinds(data) == [kind]


def test_escpos_07_a_job_s_reply_is_found_among_others() -> None:
    job = ProcessIdConfirmation(7)
    mixed = b"\x14\x00\x00\x0f" + b"\x11" + b"\x37\x22!!!!\x00" + b"\x12" + b"\x37\x22" + process_id(7) + b"\x00"
    verdicts = [job.verdict(reply) for reply in ReplySplitter().feed(mixed)]
    assert verdicts == [None, None, None, None, Verdict.PRINTED]


def test_an_automatic_status_that_broke_off_hides_nothing() -> None:
    assert kinds(b"\x14\x00\x37\x22abcd\x00") != []
    assert kinds(b"\x10\x00\x12\x00") == [ReplyKind.REAL_TIME_STATUS, ReplyKind.STATUS]


def test_a_block_without_an_end_is_capped() -> None:
    assert kinds(b"\x37" + b"x" * 80)[0] is ReplyKind.UNKNOWN


@given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_any_cut_of_the_replies_gives_the_same(data: bytes, cuts: list[int]) -> None:
    offsets = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    splitter = ReplySplitter()
    pieces: list[Reply] = []
    for start, end in pairwise(offsets):
        pieces += splitter.feed(data[start:end])
    assert pieces == ReplySplitter().feed(data)


def test_escpos_08_the_request_and_its_answer_carry_the_same_id() -> None:
    job = ProcessIdConfirmation(123456)
    assert job.request == b"\x1d\x28\x48\x06\x00\x30\x30" + process_id(123456)
    own = Reply(kind=ReplyKind.BLOCK, data=b"\x37\x22" + process_id(123456))
    other = Reply(kind=ReplyKind.BLOCK, data=b"\x37\x22" + process_id(123457))
    assert job.verdict(own) is Verdict.PRINTED
    assert job.verdict(other) is None


def test_a_probe_is_never_taken_for_the_job() -> None:
    job = ProcessIdConfirmation(5)
    answer = Reply(kind=ReplyKind.BLOCK, data=b"\x37\x22" + job.probe[-4:])
    assert job.answers_probe(answer)
    assert job.verdict(answer) is None


@given(st.integers(0, 94**4 - 2))
def test_process_ids_are_printable_and_neighbours_differ(number: int) -> None:
    assert all(0x21 <= byte <= 0x7E for byte in process_id(number))
    assert process_id(number) != process_id(number + 1)


def test_escpos_08_paper_status_after_the_job() -> None:
    job = PaperStatusConfirmation(1)
    assert job.request == b"\x1dr1"
    assert job.verdict(Reply(kind=ReplyKind.STATUS, data=b"\x00")) is Verdict.PRINTED
    assert job.verdict(Reply(kind=ReplyKind.STATUS, data=b"\x0c")) is Verdict.UNKNOWN
    assert job.verdict(Reply(kind=ReplyKind.REAL_TIME_STATUS, data=b"\x12")) is None


def test_without_a_method_nothing_is_asked_and_nothing_believed() -> None:
    job = NoConfirmation(1)
    assert job.request == b""
    assert not job.awaits_reply
    assert job.verdict(Reply(kind=ReplyKind.STATUS, data=b"\x00")) is None


def star_status(counter: int, printer: int = 0) -> bytes:
    return bytes([0x23, 0x06, printer, 0, 0, 0, 0, (counter & 7) << 1 | (counter & 24) << 2, 0])


def star(data: bytes) -> Reply:
    (reply,) = StarReplySplitter().feed(data)
    return reply


@pytest.mark.parametrize("before", [0, 6, 7, 8, 30, 31])
def test_escpos_08_a_star_s_counter_counts_this_job_and_no_other(before: int) -> None:
    job = StarCounterConfirmation(1)
    assert (job.request, job.probe, job.poll) == (b"\x17", b"\x1b\x06\x01", b"\x1b\x06\x01")
    assert job.verdict(star(star_status(before + 1))) is None
    assert job.answers_probe(star(star_status(before)))
    assert job.verdict(star(star_status(before))) is None
    assert job.verdict(star(star_status(before + 2))) is None
    assert job.verdict(star(star_status(before + 1))) is Verdict.PRINTED


def test_a_star_that_is_offline_or_has_no_counter_is_not_ready() -> None:
    job = StarCounterConfirmation(1)
    assert not job.answers_probe(star(star_status(0, printer=0x08)))
    assert not job.answers_probe(star(b"\x0f\x06\x00\x00\x00\x00\x00"))
    assert not job.answers_probe(Reply(kind=ReplyKind.STATUS, data=b"\x00"))


def test_escpos_07_a_star_s_status_is_found_between_flow_control_and_noise() -> None:
    data = b"\x13" + star_status(3)[:4] + b"\x11" + star_status(3)[4:] + b"\xff" + star_status(4)[:5] + star_status(5)
    kinds_seen = [reply.kind for reply in StarReplySplitter().feed(data)]
    status = ReplyKind.AUTOMATIC_STATUS
    assert kinds_seen == [ReplyKind.XOFF, ReplyKind.XON, status, ReplyKind.UNKNOWN, status]


@given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_any_cut_of_a_star_s_replies_gives_the_same(data: bytes, cuts: list[int]) -> None:
    offsets = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    splitter = StarReplySplitter()
    pieces: list[Reply] = []
    for start, end in pairwise(offsets):
        pieces += splitter.feed(data[start:end])
    assert pieces == StarReplySplitter().feed(data)
