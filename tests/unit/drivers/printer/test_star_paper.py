"""The paper of a Star twin, against bytes written by hand from the manuals."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer._star_paper import StarPaper

STREAM = (
    b"\x1b@\x1b\x1dt\x04\x1b\x1da\x01\x1bEJo\xc6o\x1bF\n\x1bi\x01\x01W\x1bi\x00\x00\n"
    b"\x1b\x1dyS2\x05\x1b\x1dyD1\x00\x03\x00abc\x1b\x1dyP\x1b*rR\x1b*rA\x1b*rP0\x00b\x02\x00\xff\x00b\x02\x00\x00\xff\x1b*rB"
    b"\x1b\x07\x0a\x14\x07\x1ba\x02\x17\x1b\x06\x01\x1bd\x02"
)


def paper() -> StarPaper:
    return StarPaper(columns=16, receipts_max=3)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_cut_of_the_stream_gives_the_same_paper(cuts: list[int]) -> None:
    subject, answers = paper(), b""
    for start, end in pairwise([0, *sorted(cuts), len(STREAM)]):
        answers += subject.feed(STREAM[start:end])
    assert list(subject.receipts) == ["      João\n       W\n    [QR abc]\n[picture 16 x 2]\n"]
    assert answers == b"\x23\x06\x00\x00\x00\x00\x00\x02\x00"
    assert subject.drawer_pulses == 1
    assert list(subject.strange) == []


@pytest.mark.parametrize("ends", [0, 1, 31, 32, 33])
def test_the_counter_has_five_bits(ends: int) -> None:
    subject = paper()
    told = subject.feed(b"\x17" * ends + b"\x1b\x06\x01")[7]
    assert (told >> 1 & 0b111) | (told >> 2 & 0b1_1000) == ends % 32
    assert not told & 0b1001_0001


def test_the_sensors_are_told() -> None:
    subject = paper()
    subject.cover_open = subject.paper_out = subject.paper_near_end = True
    assert subject.feed(b"\x1b\x06\x01") == b"\x23\x06\x28\x00\x00\x0c\x00\x00\x00"
    assert subject.real_time(b"job\x1b\x06\x01more") == (subject.changed(), b"jobmore")


def test_what_is_strange_is_kept_and_a_command_that_broke_off_goes_with_its_wire() -> None:
    subject = paper()
    subject.feed(b"\x1b\x1dt\x63\x01\x1b*rA")
    subject.lose_partial()
    subject.feed(b"A\n")
    assert list(subject.strange) == [b"\x1b\x1dt\x63", b"\x01"]
    assert subject.uncut() == ["A"]
