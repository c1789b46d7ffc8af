"""Pauses double up to their limit, with jitter, and begin again after success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.backoff import Backoff


def test_steps_double_up_to_the_limit_and_reset() -> None:
    backoff = Backoff(first_s=0.1, limit_s=0.5, random=lambda: 1.0)
    assert [round(backoff.next_s(), 3) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.reset()
    assert backoff.next_s() == pytest.approx(0.1)


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50))
def test_every_pause_is_bounded_from_both_sides(numbers: list[float]) -> None:
    remaining = iter(numbers)
    backoff = Backoff(first_s=0.1, limit_s=5.0, random=lambda: next(remaining))
    assert all(0.05 <= backoff.next_s() <= 5.0 for _ in numbers)


@pytest.mark.parametrize(("first_s", "limit_s"), [(0.0, 1.0), (2.0, 1.0)])
def test_impossible_bounds_are_refused(first_s: float, limit_s: float) -> None:
    with pytest.raises(ValueError, match="first_s"):
        Backoff(first_s=first_s, limit_s=limit_s, random=lambda: 0.0)
