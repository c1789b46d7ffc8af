"""`loyalty-central recovery`: a claim that waits for a person is shown, and a begun recovery settles it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from central_api.exchange.claims import PREFIX, Claim
from loyalty_sdk.codec import dumps
from tests.integration.central_api.support import Program

SAYS = "knows 7 acknowledged entries of journal J"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    made.init()
    return made


def keep_claim(program: Program) -> None:
    """Keep a claim as `begin_epoch_on_claim` does for the second word of a day."""
    value = dumps(Claim(terminal="till-1", says=SAYS, at=datetime(2026, 5, 4, 8, tzinfo=UTC))).decode()
    with closing(sqlite3.connect(program.folder / "central.db")) as connection, connection:
        (tenant,) = connection.execute("SELECT tenant FROM tenants").fetchone()
        connection.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (f"{PREFIX}{tenant}/till-1", value))


def test_a_claim_is_shown_until_a_recovery_is_begun(program: Program) -> None:
    assert "nobody is waited for" in program.run("recovery", "show").stdout
    keep_claim(program)
    (claim,) = program.json("recovery", "show")["claims"]
    assert (claim["terminal"], claim["says"]) == ("till-1", SAYS)
    shown = program.run("recovery", "show").stdout
    assert "till-1" in shown
    assert "loyalty-central recovery begin" in shown
    epoch = program.json("recovery", "begin")["epoch"]
    settled = program.json("recovery", "show")
    assert (settled["epoch"], settled["claims"], settled["recovering"]) == (epoch, [], False)
