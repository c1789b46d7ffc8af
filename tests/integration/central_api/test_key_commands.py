"""`loyalty-central key` and the decisions of `loyalty-central member`: what they print, keep and refuse."""

import json
from pathlib import Path

import httpx
import pytest

from tests.integration.central_api.support import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    made.init()
    return made


def asked(address: str, secret: str) -> int:
    return httpx.get(f"{address}/v1/keys", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_the_first_administrator_is_made_by_command(program: Program) -> None:
    done = program.run("key", "add", "back office", "--scope", "administrator")
    secret = done.stdout.strip()
    assert "not shown again" in done.stderr
    key_id = secret.split("_")[1]
    rotated = program.run("key", "rotate", key_id, "--hours", "1").stdout.strip()
    with program.serving() as (_, address):
        assert (asked(address, secret), asked(address, rotated)) == (200, 200)
        assert program.json("key", "revoke", key_id)["revoked_at"]
        assert (asked(address, secret), asked(address, rotated)) == (401, 200)
    listed = program.json("key", "list")["keys"]
    assert [(one["name"], one["scope"], one["replaces"]) for one in listed] == [
        ("back office", "administrator", ""),
        ("back office", "administrator", key_id),
    ]
    shown = program.run("key", "list").stdout
    content = b"".join(path.read_bytes() for path in program.folder.glob("central.db*"))
    for told in (secret, rotated):
        assert told not in shown
        assert told.encode() not in content
        assert told.rpartition("_")[2].encode() not in content


def test_what_commands_do_is_in_the_audit_trail(program: Program) -> None:
    key_id = program.json("key", "add", "shop")["key"]["key_id"]
    new_id = program.json("key", "rotate", key_id)["key"]["key_id"]
    program.json("key", "revoke", key_id)
    program.json("terminal", "add", "till-1")
    program.json("terminal", "recall", "--all")
    program.json("terminal", "revoke", "till-1")
    epoch = program.json("recovery", "begin")["epoch"]
    program.json("recovery", "override", "--all")
    document = Path(program.folder / "programme.json")
    document.write_text(document.read_text().replace('"version": 1', '"version": 2'))
    program.json("programme", "activate", str(document), "--at", "2999-01-01T00:00:00+00:00")
    program.json("programme", "withdraw", "2")
    program.refused("key", "revoke", "nothing")
    acts = program.json("audit", "list")["acts"]
    assert {one["actor"] for one in acts} == {"command line"}
    assert [(one["act"], one["subject"], one["detail"]) for one in reversed(acts)] == [
        ("programme-activated", "1", ""),
        ("key-added", key_id, "read-only"),
        ("key-rotated", key_id, new_id),
        ("key-revoked", key_id, ""),
        ("terminal-added", "till-1", ""),
        ("grants-recalled", "*", "0"),
        ("terminal-revoked", "till-1", ""),
        ("recovery-begun", epoch, ""),
        ("recovery-overridden", "*", "0"),
        ("programme-activated", "2", ""),
        ("programme-withdrawn", "2", ""),
    ]
    assert len(program.json("audit", "list", "--limit", "2")["acts"]) == 2
    assert "terminal-revoked" in program.run("audit", "list").stdout


def test_keys_that_cannot_be(program: Program) -> None:
    made = program.json("key", "add", "shop")
    assert (made["key"]["scope"], made["secret"][:3]) == ("read-only", "lk_")
    assert "key list" in program.refused("key", "rotate", "nothing")
    assert "key list" in program.refused("key", "revoke", "nothing")
    assert "printable" in program.refused("key", "add", " ")
    program.run("key", "revoke", made["key"]["key_id"])
    assert "has ended" in program.refused("key", "rotate", made["key"]["key_id"])
    for hours in ("721", "-1", "x"):
        with pytest.raises(SystemExit):
            program.run("key", "rotate", "x", "--hours", hours)


def test_a_person_decides_about_points(program: Program) -> None:
    program.json("member", "add", "--alias", "1", "--name", "Maria")
    program.json("member", "add", "--alias", "2")
    given = program.json("member", "adjust", "1", "--points", "50", "--reason", "a gift")
    assert given["available"] == 50
    taken = program.run("member", "adjust", "1", "--points", "-20", "--reason", "too much")
    assert taken.stdout == f"{given['member_id']}: 30 available, 0 pending, 0 reserved\n"
    assert "30 points are available" in program.refused("member", "adjust", "1", "--points", "-31", "--reason", "x")
    assert "owes 0 points" in program.refused("member", "write-off", "1", "--points", "1", "--reason", "x")
    program.json("member", "adjust", "2", "--points", "5", "--reason", "a gift")
    merged = program.json("member", "merge", "1", "--from", "2", "--reason", "had two cards")
    assert (merged["available"], [one["alias"] for one in merged["aliases"]]) == (35, ["1", "2"])
    assert json.loads(program.run("member", "show", "2", "--json").stdout)["member_id"] == given["member_id"]
    assert "no member" in program.refused("member", "merge", "1", "--from", "9", "--reason", "x")
    assert program.run("verify").returncode == 0
