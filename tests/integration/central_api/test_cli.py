"""The command line: what it makes, and one clear line where it cannot."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from central_api.cli import main
from tests.integration.central_api.support import PROGRAMME, Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_nothing_works_before_init_and_the_text_says_so(program: Program) -> None:
    assert "run: loyalty-central init" in program.refused("member", "list")
    assert not program.database.exists()
    program.database.write_bytes(b"")
    assert "keys" in program.refused("member", "list")


def test_init_twice_changes_nothing(program: Program) -> None:
    program.init()
    keys = program.database.with_name("central.db.keys.json")
    before = keys.read_bytes()
    with sqlite3.connect(program.database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert keys.stat().st_mode & 0o777 == 0o600
    assert program.json("init")["made"] is False
    assert keys.read_bytes() == before
    os.chmod(keys, 0o644)
    assert "chmod 600" in program.refused("member", "list")
    keys.unlink()
    assert "restore" in program.refused("init")


def test_a_malformed_programme_names_its_place(program: Program) -> None:
    program.init()
    document = program.folder / "wrong.json"
    document.write_text(PROGRAMME.replace('"points": 1', '"points": 1.5'), encoding="utf-8")
    assert "wrong.json" in program.refused("programme", "activate", str(document))
    document.write_text(PROGRAMME.replace('"kind": "amount"', '"kind": "sum"'), encoding="utf-8")
    assert "earning[0].kind" in program.refused("programme", "activate", str(document))
    document.write_text(PROGRAMME, encoding="utf-8")
    assert "set version to 2" in program.refused("programme", "activate", str(document))
    assert "cannot be read" in program.refused("programme", "activate", str(program.folder / "none.json"))
    document.write_text(PROGRAMME.replace('"version": 1', '"version": 2'), encoding="utf-8")
    assert program.json("programme", "activate", str(document))["version"] == 2
    assert program.json("programme", "show", "--version", "1")["version"] == 1


def test_an_alias_belongs_to_one_member_and_is_not_kept_in_clear(program: Program) -> None:
    program.init()
    program.json("member", "add", "--alias", "20000015", "--alias", "+351912345678", "--name", "Maria Silva")
    assert "belongs to a member" in program.refused("member", "add", "--alias", "+351912345678")
    assert "no member" in program.refused("member", "show", "nobody")
    (member,) = program.json("member", "list")["members"]
    assert (member["name"], member["aliases"]) == ("Maria Silva", ["+351912345678", "20000015"])
    content = b"".join(path.read_bytes() for path in program.folder.glob("central.db*") if "keys" not in path.name)
    assert b"20000015" not in content
    assert b"Maria" not in content


def test_terminals_are_added_listed_recalled_and_revoked(program: Program) -> None:
    program.init()
    assert program.json("terminal", "add", "till-1")["code"] != program.json("terminal", "add", "till-1")["code"]
    assert program.json("terminal", "recall", "--all") == {"grants_recalled": 0}
    assert "no terminal till-9" in program.refused("terminal", "recall", "till-9")
    program.json("terminal", "revoke", "till-1")
    # A revoked terminal comes back with a new code only.
    assert program.json("terminal", "add", "till-1")["code"]
    table = program.run("terminal", "list").stdout
    assert "till-1" in table
    assert "revoked" in table


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://x:secret@y/z", "mysql://x:***@y/z: write sqlite:///FILE or postgresql://"),
        ("postgresql://", "postgresql://USER"),
        ("nonsense", "no database address"),
        ("sqlite://", "sqlite:///FILE"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["member", "list", "--database", url]) == 2
    assert text in capsys.readouterr().err


def test_a_server_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys.json"
    url = f"postgresql://somebody:secret@/loyalty?host={tmp_path}"
    assert main(["init", "--database", url, "--keys", str(keys)]) == 2
    said = capsys.readouterr().err
    assert "PostgreSQL cannot be reached" in said
    assert "secret" not in said
    assert not keys.exists()


def test_keys_are_never_made_anew_for_a_database_that_has_some(new_program: Program) -> None:
    new_program.init()
    keys = new_program.database.with_name("central.db.keys.json")
    keys.unlink()
    assert "restore" in new_program.refused("init")
    assert not keys.exists()


def test_a_file_that_is_no_database(program: Program) -> None:
    program.init()
    program.database.write_bytes(b"this is not a database, whatever its name says" * 100)
    assert "cannot be used" in program.refused("member", "list")


def test_a_ledger_that_differs_is_named_and_ends_with_1(program: Program) -> None:
    program.init()
    member = program.json("member", "add", "--alias", "1")["member_id"]
    assert program.json("verify") == {
        "tenant": "default",
        "journals": 0,
        "entries": 0,
        "members": 1,
        "differences": 0,
        "shown": [],
    }
    with sqlite3.connect(program.database) as connection:
        connection.execute("INSERT INTO balances VALUES ('default', ?, 5, 0, 0)", (member,))
    connection.close()
    done = program.run("verify", "--json")
    shown = json.loads(done.stdout)["shown"]
    assert (done.returncode, {one["what"] for one in shown}) == (1, {"available", "available from entries"})
    assert member in program.run("verify").stdout


def test_a_tenant_is_named_where_there_are_several(program: Program) -> None:
    program.init()
    program.json("init", "--tenant", "other")
    assert "default, other" in program.refused("member", "list")
    assert program.json("member", "list", "--tenant", "other") == {"members": []}
    with sqlite3.connect(program.database) as connection:
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (2,)
    connection.close()


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["terminal", "add", "--help"])
    assert stopped.value.code == 0
    assert "example:" in capsys.readouterr().out
