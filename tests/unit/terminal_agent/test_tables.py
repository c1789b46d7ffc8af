"""Tables for people."""

import pytest

from terminal_agent.tables import print_facts, print_rows


def test_facts_stand_in_two_columns_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {
        "queue_length": 3,
        "central_online": True,
        "programme_version": None,
        "warnings": ["printer [red]: :smile:", "central"],
        "scanners": [{"scanner": "counter", "state": "online", "reason": ""}],
        "missing": [],
    }
    print_facts(facts)
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        "queue length 3",
        "central online yes",
        "programme version -",
        "warnings printer [red]: :smile:",
        "central",
        "scanners scanner counter, state online",
        "missing none",
    ]


def test_rows_stand_under_their_headings_and_nothing_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(("job", "state"), [("front:1", "printed"), ("front:2", "[unknown]")], nothing="no jobs")
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert rows == ["job state", "front:1 printed", "front:2 [unknown]"]
    print_rows(("job", "state"), [], nothing="no jobs")
    assert capsys.readouterr().out == "no jobs\n"
