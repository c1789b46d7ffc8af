"""The report prints plain lines without a terminal, and everything that is wrong."""

import pytest

from terminal_agent.demo.report import FAULTS_SHOWN_MAX, BalanceRow, Report


@pytest.fixture
def report() -> Report:
    return Report(to_stderr=False, environment={})


def test_progress_is_a_few_plain_lines(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with report.progress("Draining", 100) as done:
        for count in range(101):
            done(count)
    assert capsys.readouterr().out.splitlines() == [f"Draining: {count} of 100" for count in (0, 25, 50, 75, 100)]


def test_progress_of_nothing_is_done_at_once(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    with report.progress("Draining", 0) as done:
        done(0)
    assert capsys.readouterr().out == "Draining: 0 of 0\n"


def test_what_looks_like_markup_is_printed_as_it_is(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.say("[bold]João[/bold]")
    assert capsys.readouterr().out == "[bold]João[/bold]\n"


def test_the_table_says_who_differs(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[BalanceRow] = [("João", "A", 5, 5, 5), ("Inês", "B", None, 5, 5), ("Begoña", "C", 5, 6, 5)]
    report.balances(rows)
    lines = capsys.readouterr().out.splitlines()
    verdicts = {name: line for line in lines for name in ("João", "Inês", "Begoña") if name in line}
    assert "equal" in verdicts["João"]
    assert "unknown" in verdicts["Inês"]
    assert "DIFFERENT" in verdicts["Inês"]
    assert "DIFFERENT" in verdicts["Begoña"]


def test_the_summary_counts_the_faults_and_shows_the_first(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.summary([("sold", "100 baskets")], [f"fault {number}" for number in range(FAULTS_SHOWN_MAX + 2)])
    out = capsys.readouterr().out
    assert "12 things are wrong" in out
    assert "wrong: fault 9" in out
    assert "fault 10" not in out
    assert "and 2 more" in out


def test_json_leaves_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Report(to_stderr=True, environment={}).say("what happens")
    assert capsys.readouterr() == ("", "what happens\n")
