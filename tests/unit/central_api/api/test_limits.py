"""The meter: bursts, refilling, and callers that are independent of each other."""

from __future__ import annotations

import pytest

from central_api.api import limits
from central_api.api.limits import Limits, Meter


class Clock:
    """Seconds that pass by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_passes_and_then_as_much_as_is_refilled() -> None:
    clock = Clock()
    meter = Meter(Limits(per_s=2, burst=3), clock)
    assert [meter.wait_s(b"a", 1) for _ in range(4)] == [0, 0, 0, 0.5]
    assert meter.wait_s(b"b", 1) == 0
    clock.now_s += 0.5
    assert [meter.wait_s(b"a", 1) for _ in range(2)] == [0, 0.5]
    clock.now_s += 1_000
    assert [meter.wait_s(b"a", 1) for _ in range(4)] == [0, 0, 0, 0.5]


def test_what_costs_more_than_a_burst_passes_on_a_full_allowance_and_is_paid_for() -> None:
    clock = Clock()
    meter = Meter(Limits(per_s=1, burst=2), clock)
    assert meter.wait_s(b"a", 10) == 0
    assert meter.wait_s(b"a", 1) == 9
    clock.now_s += 9
    assert meter.wait_s(b"a", 1) == 0


def test_callers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALLERS_MAX", 2)
    meter = Meter(Limits(per_s=1, burst=1), Clock())
    assert [meter.wait_s(name, 1) for name in (b"a", b"b", b"c")] == [0, 0, 0]
    assert meter.wait_s(b"a", 1) == 0  # Forgotten, for it called longest ago.
    assert meter.wait_s(b"c", 1) == 1


@pytest.mark.parametrize("wrong", [{"per_s": 0}, {"burst": 0}])
def test_limits_that_let_nothing_through_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Limits(**wrong)
