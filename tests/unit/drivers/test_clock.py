"""The machine's clock gives times with an offset, and seconds that do not run backwards."""

from drivers.clock import SystemClock


def test_the_time_of_day_has_an_offset() -> None:
    assert SystemClock().now().utcoffset() is not None


def test_monotonic_seconds_do_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
