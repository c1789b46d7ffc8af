"""`status --follow`: what it says, and that it outlives the agent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from loyalty_sdk.errors import AccessRefused, AgentUnreachable
from loyalty_sdk.model import Progress, Status
from terminal_agent import following
from terminal_agent.following import follow, progress_text

STATUS = Status(
    version="1",
    terminal="till-1",
    journal="j",
    head_seq=100,
    watermark=60,
    queue_length=40,
    central_online=True,
    central_contact_at=None,
    programme_version=1,
    open_holds=0,
    entries_refused=0,
    progress=Progress(entries_left=40, entries_per_s=Decimal("2.5"), time_left_s=16),
)
DRAINED = replace(STATUS, watermark=100, queue_length=0, progress=Progress(entries_left=0, time_left_s=0))


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(entries_left=0, time_left_s=0), "everything is sent"),
        (Progress(entries_left=1_200), "1,200 entries left, none is being sent"),
        (STATUS.progress, "40 entries left, 2.5 a second, 16 s left"),
        (
            Progress(entries_left=9, entries_per_s=Decimal(1), time_left_s=75),
            "9 entries left, 1 a second, 1 min 15 s left",
        ),
        (
            Progress(entries_left=9, entries_per_s=Decimal(1), time_left_s=7_260),
            "9 entries left, 1 a second, 2 h 1 min left",
        ),
        (
            Progress(entries_left=9, entries_per_s=Decimal(1), time_left_s=10**7),
            "9 entries left, 1 a second, days left",
        ),
    ],
)
def test_what_it_says(progress: Progress, text: str) -> None:
    assert progress_text(progress) == text


def followed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *states: Status | Exception, as_json: bool
) -> list[str]:
    """The lines for these states, until the person at the till interrupts."""
    monkeypatch.setattr(following, "PAUSE_S", 0)
    coming: Iterator[Status | BaseException] = iter([*states, KeyboardInterrupt()])

    def read() -> Status:
        state = next(coming)
        if isinstance(state, BaseException):
            raise state
        return state

    with pytest.raises(KeyboardInterrupt):
        follow(read, as_json=as_json)
    return capsys.readouterr().out.splitlines()


def test_a_line_for_every_change_and_the_agent_may_go_and_come(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = replace(STATUS, central_online=False)
    gone = AgentUnreachable("the agent is away; start it")
    lines = followed(monkeypatch, capsys, STATUS, STATUS, away, gone, DRAINED, as_json=False)
    assert lines == [
        "40 entries left, 2.5 a second, 16 s left",
        "40 entries left, 2.5 a second, 16 s left; central does not answer",
        "the agent is away; start it",
        "everything is sent",
    ]


def test_json_lines_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = followed(monkeypatch, capsys, STATUS, AgentUnreachable("away"), DRAINED, as_json=True)
    first, second, third = map(json.loads, lines)
    assert first["progress"] == {"entries_left": 40, "entries_per_s": "2.5", "time_left_s": 16}
    assert second == {"unreachable": "away"}
    assert third["queue_length"] == 0


def test_an_agent_of_an_earlier_release_tells_no_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert followed(monkeypatch, capsys, replace(STATUS, progress=None), as_json=False) == [
        "40 entries left, none is being sent"
    ]


def test_live_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "LINES": "60"}.items():
        monkeypatch.setenv(name, value)
    screen = "\n".join(followed(monkeypatch, capsys, STATUS, AgentUnreachable("away"), DRAINED, as_json=False))
    assert "40 entries left, 2.5 a second" in screen
    assert "till-1" in screen
    assert "away" in screen
    assert "everything is sent" in screen


def test_what_will_not_pass_by_itself_ends_it() -> None:
    def read() -> Status:
        raise AccessRefused("the token is wrong")

    with pytest.raises(AccessRefused):
        follow(read, as_json=False)
