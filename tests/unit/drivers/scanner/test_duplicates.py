"""A code seen again within the window is the same scan; a different one never is."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.scanner.duplicates import DuplicateFilter


def test_scanner_09_the_same_code_within_the_window_is_one() -> None:
    subject = DuplicateFilter(0.5)
    assert subject.is_new(b"A", 0.0)
    assert not subject.is_new(b"A", 0.4)
    assert not subject.is_new(b"A", 0.8)
    assert subject.is_new(b"A", 1.3)


def test_scanner_09_two_codes_in_view_are_two_scans() -> None:
    subject = DuplicateFilter(0.5)
    assert [subject.is_new(code, number / 10) for number, code in enumerate([b"A", b"B", b"A", b"B"])] == [
        True,
        True,
        False,
        False,
    ]


def test_a_window_of_nothing_lets_everything_through() -> None:
    subject = DuplicateFilter(0.0)
    assert subject.is_new(b"A", 1.0)
    assert subject.is_new(b"A", 1.0)


@given(st.lists(st.binary(min_size=1, max_size=4), unique=True, max_size=200))
def test_scanner_09_a_different_code_is_never_suppressed_and_memory_is_bounded(codes: list[bytes]) -> None:
    subject = DuplicateFilter(60.0)
    assert all(subject.is_new(code, 0.0) for code in codes)
    assert len(subject._seen_s) <= 16
