"""What the terminal knows of members and of the programme."""

from __future__ import annotations

from pathlib import Path

import pytest

from loyalty_sdk.codec import CodecError
from sync.identity import SignatureRefused
from sync.replica import alias_digest, current_programme, member_by_alias, programme_version, store_programme
from tests.support.terminal_memory import MEMBER, CentralKeys, TerminalMemory


def balance(memory: TerminalMemory) -> int:
    view = memory.view()
    assert view is not None
    return view.balance


def test_a_member_is_unknown_without_a_snapshot(memory: TerminalMemory) -> None:
    assert memory.view() is None
    memory.sell()
    assert memory.view() is None


def test_the_balance_shown_has_our_own_entries_after_the_snapshot(memory: TerminalMemory) -> None:
    memory.sell()
    memory.know(100, includes_seq=2)
    assert balance(memory) == 100
    memory.sell()
    assert balance(memory) == 110
    memory.sell(member_id="somebody else")
    assert balance(memory) == 110
    memory.know(110, revision=2, includes_seq=3)
    assert balance(memory) == 110


@pytest.mark.parametrize(
    ("revision", "includes_seq", "shown"),
    [(1, 3, 100), (2, 1, 100), (2, 2, 500), (2, 3, 500), (3, 1, 510), (3, 3, 500)],
)
def test_snapshots_are_ordered_by_revision_then_by_what_they_include(
    memory: TerminalMemory, revision: int, includes_seq: int, shown: int
) -> None:
    memory.sell(member_id="somebody else")
    memory.sell()
    memory.know(90, revision=2, includes_seq=2)
    memory.know(500, revision=revision, includes_seq=includes_seq)
    own = 10 if includes_seq < 3 and shown != 100 else 0
    assert balance(memory) == (100 if shown == 100 else 500 + own)


def test_a_snapshot_that_claims_entries_we_never_wrote_is_not_believed(memory: TerminalMemory) -> None:
    memory.know(100)
    memory.know(999_999, revision=9, includes_seq=2)
    assert balance(memory) == 100
    memory.sell()
    assert balance(memory) == 110


def test_law_12_a_plain_alias_is_nowhere_in_the_files(filed: TerminalMemory) -> None:
    assert filed.path is not None
    alias = "CARD-4711-ANA"
    filed.know(100, digest=alias_digest(filed.identity, alias))
    filed.run(filed.sale_command(filed.sale_request(alias=alias)))
    with filed.store.reading() as connection:
        assert member_by_alias(connection, alias_digest(filed.identity, alias)) == MEMBER
    written = b"".join(path.read_bytes() for path in Path(filed.path.parent).iterdir())
    assert MEMBER.encode() in written  # We look at the right bytes.
    assert alias.encode() not in written
    assert alias.encode().hex().encode() not in written


def test_an_alias_that_moves_to_another_member_follows(memory: TerminalMemory) -> None:
    digest = alias_digest(memory.identity, "CARD-1")
    memory.know(100, digest=digest)
    memory.know(5, member_id="member-2", digest=digest)
    with memory.store.reading() as connection:
        assert member_by_alias(connection, digest) == "member-2"
        assert member_by_alias(connection, alias_digest(memory.identity, "CARD-2")) is None


def test_the_newest_programme_is_in_force_and_old_ones_stay(memory: TerminalMemory) -> None:
    memory.store_programme(3, name="Third")
    memory.store_programme(2, name="Second")
    with memory.store.reading() as connection:
        current, old = current_programme(connection), programme_version(connection, 1)
        assert programme_version(connection, 9) is None
        assert programme_version(connection, None) is None
    assert current is not None
    assert old is not None
    assert (current.version, current.name, old.name) == (3, "Third", "Test")


def test_a_version_is_never_replaced(memory: TerminalMemory) -> None:
    memory.store_programme(1, name="Other")
    with memory.store.reading() as connection:
        current = current_programme(connection)
    assert current is not None
    assert current.name == "Test"


def test_a_programme_that_central_did_not_sign_or_that_is_no_programme_is_refused(memory: TerminalMemory) -> None:
    signed = memory.programme(2, colour="red")
    with pytest.raises(CodecError, match="colour is not a field"):
        memory.run(lambda transaction: store_programme(transaction, signed))
    memory.keys = CentralKeys()
    foreign = memory.programme(2)
    with pytest.raises(SignatureRefused):
        memory.run(lambda transaction: store_programme(transaction, foreign))
    assert memory.scalar("SELECT max(version) FROM programmes") == 1
