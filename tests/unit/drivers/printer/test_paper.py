"""The twin's paper, against bytes written by hand from the command reference."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer._paper import Paper


def paper(columns: int = 16) -> Paper:
    return Paper(columns=columns, receipts_max=3)


def test_pages_alignment_width_and_cuts() -> None:
    subject = paper()
    subject.feed(b"\x1b@\x1bt\x13\xd5\n" + b"\x1bt\x10\x80\n" + b"\x1bt\x03\x84\n")
    subject.feed(b"\x1ba\x01mid\n\x1ba\x02end\n\x1ba\x00\x1b! wide\x1b!\x00\n")
    assert subject.uncut() == ["€", "€", "ã", "      mid", "             end", "wide"]
    subject.feed(b"\x1bd\x03\x1dV\x00")
    assert subject.receipts[0] == "€\n€\nã\n      mid\n             end\nwide\n"
    assert subject.uncut() == []


def test_a_reset_takes_the_code_page_and_the_style_away() -> None:
    subject = paper()
    subject.feed(b"\x1bt\x13\x1ba\x02\x1b!\x20\x1b@\xd5\n")
    assert subject.uncut() == ["╒"]


def test_a_line_that_is_too_long_wraps_and_double_width_counts_twice() -> None:
    subject = paper()
    subject.feed(b"x" * 17 + b"\n" + b"\x1d!\x10" + b"y" * 9 + b"\n")
    assert subject.uncut() == ["x" * 16, "x", "y" * 8, "y"]


def test_answers() -> None:
    subject = paper()
    assert subject.feed(b"\x1d(H\x06\x0000abcd") == b"7\x22abcd\x00"
    assert subject.feed(b"\x1dr1\x10\x04\x01\x10\x04\x04") == b"\x00\x12\x12"
    subject.paper_out = True
    assert subject.feed(b"\x1dr1\x10\x04\x04") == b"\x0c\x72"


def test_the_drawer_and_what_is_strange_are_kept() -> None:
    subject = paper()
    subject.feed(b"\x1bp\x00\x19\xfa\x1b\xfe\x00\x1bt\x63")
    assert subject.drawer_pulses == 1
    assert list(subject.strange) == [b"\x1b\xfe", b"\x00", b"\x1bt\x63"]


def test_only_so_many_receipts_are_kept() -> None:
    subject = paper()
    for number in range(5):
        subject.feed(b"%d\n\x1dVB\x00" % number)
    assert list(subject.receipts) == ["2\n", "3\n", "4\n"]
    assert subject.receipts_cut == 5


STREAM = (
    b"\x1b@\x1bt\x13\x1ba\x01Jo\xc6o\n"
    b"\x1d(k\x03\x001C\x06\x1d(k\x06\x001P0abc\x1d(k\x03\x001Q0"
    b"\x1d(H\x06\x0000abcd\x1dV\x00"
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_cut_of_the_stream_gives_the_same_paper(cuts: list[int]) -> None:
    subject, answers = paper(), b""
    offsets = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(offsets):
        answers += subject.feed(STREAM[start:end])
    assert list(subject.receipts) == ["      João\n    [QR abc]\n"]
    assert answers == b"7\x22abcd\x00"


@pytest.mark.parametrize("data", [b"\x1b", b"\x1d", b"\x1d(", b"\x1d(H\x06", b"\x1dV", b"\x10\x04", b"\x1bp\x00"])
def test_a_command_that_is_not_complete_waits_and_goes_with_its_connection(data: bytes) -> None:
    subject = paper()
    assert subject.feed(data) == b""
    subject.lose_partial()
    subject.feed(b"A\n")
    assert subject.uncut() == ["A"]
