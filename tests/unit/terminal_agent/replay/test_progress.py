"""Progress without a terminal: a plain line every few seconds, with rate and time left, and one at the end."""

from io import StringIO

from rich.console import Console

from terminal_agent.replay.progress import show_progress


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_lines_come_every_few_seconds_and_at_the_end() -> None:
    out, clock = StringIO(), Clock()
    with show_progress(Console(file=out, width=200), "Selling", 2_000, monotonic_s=clock) as advance:
        advance(400)
        clock.now_s += 4.0
        advance(100)
        clock.now_s += 1.0
        advance(500)
        clock.now_s += 2.5
        advance(1_000)
    assert out.getvalue().splitlines() == [
        "Selling: 1,000 of 2,000, 200/s, 5 s left",
        "Selling: 2,000 of 2,000, 267/s",
    ]


def test_a_bar_is_drawn_on_a_terminal() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=80, legacy_windows=False)
    with show_progress(console, "Selling", 10) as advance:
        advance(10)
    assert "10/10" in out.getvalue()
