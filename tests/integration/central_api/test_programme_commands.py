"""`loyalty-central programme`: check a document, try it, put it in force at a date."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.central_api.support import PROGRAMME, Program

SCHEMA = Path(__file__).parents[3] / "docs" / "programme.schema.json"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    made.init()
    return made


def document(program: Program, version: int, points: int = 1) -> str:
    """The name of a file with the document of a version."""
    file = program.folder / f"version-{version}.json"
    text = PROGRAMME.replace('"version": 1', f'"version": {version}').replace('"points": 1', f'"points": {points}')
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_document_is_checked_without_a_database(tmp_path: Path) -> None:
    program = Program(tmp_path)
    file = document(program, 2)
    assert program.json("programme", "validate", file) == {"valid": True, "findings": []}
    assert program.run("programme", "validate", file).stdout == f"{file}: errors: 0, warnings: 0\n"
    assert program.run("programme", "schema").stdout == SCHEMA.read_text(encoding="utf-8")
    assert not program.database.exists()


def test_errors_end_with_1_and_warnings_do_not(tmp_path: Path) -> None:
    program = Program(tmp_path)
    file = Path(document(program, 2))
    wrong = json.loads(PROGRAMME) | {"currency": "euro", "name": 5}
    file.write_text(json.dumps(wrong), encoding="utf-8")
    done = program.run("programme", "validate", str(file))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        f"{file}: error: name must be a text, not 5",
        f"{file}: errors: 1, warnings: 0",
    ]
    file.write_text(json.dumps(wrong | {"name": "x"}), encoding="utf-8")
    assert "'euro' is not an ISO 4217 code" in program.run("programme", "validate", str(file)).stdout
    before = document(program, 1)
    file.write_text(PROGRAMME.replace("EUR", "BRL").replace('"version": 1', '"version": 2'), encoding="utf-8")
    done = program.run("programme", "validate", str(file), "--against", before, "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["valid"], [one["place"] for one in found["findings"]]) == (True, ["currency"])
    assert "cannot be read" in program.refused("programme", "validate", str(file), "--against", "none.json")
    assert "cannot be read" in program.refused("programme", "validate", "none.json")


def test_a_version_is_put_in_force_at_a_date_and_withdrawn_before_it(program: Program) -> None:
    date = (datetime.now(UTC) + timedelta(days=400)).replace(microsecond=0)
    made = program.json("programme", "activate", document(program, 2), "--at", date.isoformat())
    assert (made["version"], datetime.fromisoformat(made["in_force_at"])) == (2, date)
    assert program.json("programme", "show")["version"] == 1
    assert program.json("programme", "show", "--version", "2")["version"] == 2
    assert "withdraw 2" in program.refused("programme", "activate", document(program, 3))
    assert program.json("programme", "withdraw", "2") == {"version": 2, "state": "withdrawn"}
    assert "version 3 is in force" in program.run("programme", "activate", document(program, 3)).stdout
    later = (date + timedelta(days=1)).isoformat()
    assert "comes into force at" in program.run("programme", "activate", document(program, 4), "--at", later).stdout
    listed = program.json("programme", "list")["programmes"]
    assert [(one["version"], one["state"]) for one in listed] == [
        (4, "scheduled"),
        (3, "in_force"),
        (2, "withdrawn"),
        (1, "superseded"),
    ]
    assert "superseded" in program.run("programme", "list").stdout
    assert "is withdrawn; to use its document" in program.run("programme", "withdraw", "4").stdout
    assert "came into force" in program.refused("programme", "withdraw", "3")
    assert "no programme version 9" in program.refused("programme", "withdraw", "9")


@pytest.mark.parametrize("at", ["2027-01-01", "tomorrow", "2027-01-01T00:00:00"])
def test_a_date_has_an_offset(program: Program, at: str) -> None:
    with pytest.raises(SystemExit):
        program.run("programme", "activate", document(program, 2), "--at", at)


def test_activating_says_what_may_be_regretted(program: Program) -> None:
    text = PROGRAMME.replace('"version": 1', '"version": 2').replace("EUR", "BRL")
    file = Path(document(program, 2))
    file.write_text(text, encoding="utf-8")
    done = program.run("programme", "activate", str(file))
    assert (done.returncode, "is in force" in done.stdout) == (0, True)
    assert done.stderr == (
        f"{file}: warning: currency version 1 counts in EUR, and points keep their number; "
        "check that shops sell in BRL from now on\n"
    )


def test_a_dry_run_of_no_sales(program: Program) -> None:
    """Its figures are tested where the ledger is; here, that it is shown to people and programs."""
    report = program.json("programme", "dry-run", document(program, 2, points=2), "--days", "7")
    assert (report["version"], report["days"], report["sales"], report["points_after"]) == (2, 7, 0, 0)
    assert report["rules"] == [{"rule_id": "base", "points_before": 0, "points_after": 0}]
    shown = program.run("programme", "dry-run", document(program, 2)).stdout
    assert shown.startswith("0 sales of 30 days, 0 of them would earn otherwise\n")
    assert "points by rule" in shown
    assert "redemptions that would not be possible: none" in shown
    assert "cannot be read" in program.refused("programme", "dry-run", "none.json")
    assert "days must be from 1 to 366" in program.refused(
        "programme", "dry-run", document(program, 2), "--days", "400"
    )
    broken = Path(document(program, 2))
    broken.write_text("{}", encoding="utf-8")
    assert "format is missing; see all of it with" in program.refused("programme", "dry-run", str(broken))
