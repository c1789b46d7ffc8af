"""The store: Laws 1 and 3, on real files where durability is the point."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loyalty_sdk.envelope import JournalOpenedBody
from loyalty_sdk.errors import JournalUnavailable, OutcomeUnknown, ReceiptConflict
from sync.schema import PRAGMAS, SCHEMA_VERSION
from sync.statements import PinnedConnection
from sync.store import Command, Hooks, Store, StoreRefused
from sync.transaction import Transaction
from tests.support.terminal_memory import MEMBER, TerminalMemory, basket_of


def writer_of(store: Store) -> Any:
    """The writing connection, which no caller sees."""
    return store._database.writer


def sqlite_of(store: Store) -> sqlite3.Connection:
    connection: sqlite3.Connection = writer_of(store).connection.driver_connection
    return connection


def pragma(store: Store, name: str) -> Any:
    return sqlite_of(store).execute(f"PRAGMA {name}").fetchone()[0]


def fail_at_commit(store: Store) -> None:
    """SQLite refuses the next COMMIT of this connection; a recovery opens another."""

    def refuse_commit(action: int, operation: str | None, *_rest: str | None) -> int:
        is_commit = action == sqlite3.SQLITE_TRANSACTION and operation == "COMMIT"
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    sqlite_of(store).set_authorizer(refuse_commit)


def test_a_new_journal_opens_with_its_own_entry(memory: TerminalMemory) -> None:
    (entry,) = memory.entries()
    assert (entry.seq, entry.kind, entry.terminal, entry.journal) == (1, "journal_opened", "till-1", memory.journal)
    assert entry.body == JournalOpenedBody(agent_version="test")
    memory.check_chain()


def test_law_3_the_chain_verifies_with_hashlib_alone(memory: TerminalMemory) -> None:
    for _ in range(20):
        memory.sell()
    memory.check_chain()
    assert len(memory.chain()) == 21


def test_law_3_a_changed_byte_breaks_the_chain(memory: TerminalMemory) -> None:
    memory.sell()
    memory.run(
        lambda transaction: transaction.execute("UPDATE entries SET bytes = CAST(bytes || ' ' AS BLOB) WHERE seq = 2")
    )
    with pytest.raises(AssertionError):
        memory.check_chain()


def test_a_refused_command_leaves_the_others_of_its_batch(memory: TerminalMemory) -> None:
    first = memory.sale_request(receipt_number="A", member_id=MEMBER)
    other = replace(first, basket=basket_of(2_000), tenders=(replace(first.tenders[0], amount_minor=2_000),))
    last = memory.sale_request(receipt_number="B", member_id=MEMBER)
    results = memory.results(*(memory.sale_command(request) for request in (first, other, last)))
    assert [type(result.error) for result in results] == [type(None), ReceiptConflict, type(None)]
    assert [entry.seq for entry in memory.entries()] == [1, 2, 3]
    memory.check_chain()


def test_a_command_that_fails_after_appending_leaves_no_gap(memory: TerminalMemory) -> None:
    sale = memory.sale_command(memory.sale_request())

    def append_and_fail(transaction: Transaction) -> None:
        sale(transaction)
        raise ZeroDivisionError

    results = memory.results(append_and_fail, memory.sale_command(memory.sale_request()))
    assert isinstance(results[0].error, ZeroDivisionError)
    assert results[1].error is None
    assert memory.store.head_seq == 2
    memory.check_chain()


def test_a_constraint_that_breaks_is_its_command_s_own_error(memory: TerminalMemory) -> None:
    def twice(transaction: Transaction) -> None:
        transaction.execute("INSERT INTO meta VALUES ('journal', 'another')")

    results = memory.results(twice, memory.sale_command(memory.sale_request()))
    assert isinstance(results[0].error, sqlite3.IntegrityError)
    assert results[1].error is None


def test_an_exception_around_the_batch_rolls_all_of_it_back(tmp_path: Path) -> None:
    wanted: list[bool] = []

    def stop(commands: Sequence[Command]) -> None:
        if wanted:
            raise ZeroDivisionError

    memory = TerminalMemory(path=tmp_path / "journal.db", hooks=Hooks(before_commit=stop))
    memory.sell()
    wanted.append(True)
    with pytest.raises(ZeroDivisionError):
        memory.sell()
    wanted.clear()
    assert memory.sell().recorded_before is False
    assert [entry.seq for entry in memory.entries()] == [1, 2, 3]
    memory.check_chain()
    memory.store.close()


def test_reopening_goes_on_at_the_head(filed: TerminalMemory) -> None:
    journal = filed.journal
    filed.sell()
    filed.reopen()
    filed.sell()
    assert (filed.journal, filed.store.head_seq) == (journal, 3)
    filed.check_chain()


def test_law_1_the_pragmas_are_set_on_the_writer(filed: TerminalMemory) -> None:
    assert pragma(filed.store, "journal_mode") == "wal"
    assert pragma(filed.store, "synchronous") == 2
    assert pragma(filed.store, "foreign_keys") == 1
    assert pragma(filed.store, "journal_size_limit") > 0


def test_law_1_the_pragmas_are_set_again_after_a_recovery(filed: TerminalMemory) -> None:
    fail_at_commit(filed.store)
    with pytest.raises(OutcomeUnknown):
        filed.sell()
    test_law_1_the_pragmas_are_set_on_the_writer(filed)


def test_a_reader_cannot_write_and_never_checkpoints(filed: TerminalMemory) -> None:
    with filed.store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.exec_driver_sql("DELETE FROM entries")
    assert len(filed.entries()) == 1


def test_a_reader_sees_the_last_commit_and_one_state_throughout(filed: TerminalMemory) -> None:
    count = "SELECT count(*) FROM entries"
    with filed.store.reading() as connection:
        assert connection.exec_driver_sql(count).scalar() == 1
        filed.sell()
        assert connection.exec_driver_sql(count).scalar() == 1
    assert filed.scalar(count) == 2


def test_reading_a_store_in_memory_leaves_no_transaction_behind(memory: TerminalMemory) -> None:
    assert memory.scalar("SELECT count(*) FROM entries") == 1
    memory.sell()
    assert memory.scalar("SELECT count(*) FROM entries") == 2


def test_law_1_a_failing_commit_is_unknown_to_all_and_a_retry_records_once(filed: TerminalMemory) -> None:
    requests = [filed.sale_request(member_id=MEMBER) for _ in range(3)]
    fail_at_commit(filed.store)
    results = filed.results(*(filed.sale_command(request) for request in requests))
    assert all(isinstance(result.error, OutcomeUnknown) for result in results)
    assert len({id(result.error) for result in results}) == 3  # Each caller raises an error of its own.
    for request in requests:
        filed.run(filed.sale_command(request))
        assert filed.run(filed.sale_command(request)).recorded_before
    assert [entry.seq for entry in filed.entries()] == [1, 2, 3, 4]
    filed.check_chain()


def test_law_1_a_commit_that_succeeded_and_said_otherwise_records_once(
    filed: TerminalMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is on the disk although COMMIT failed: only reading the head again keeps the journal dense."""
    request = filed.sale_request(member_id=MEMBER)
    commit = PinnedConnection.commit

    def committed_but_broken(connection: PinnedConnection) -> None:
        commit(connection)
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(PinnedConnection, "commit", committed_but_broken)
        with pytest.raises(OutcomeUnknown):
            filed.run(filed.sale_command(request))
    assert filed.run(filed.sale_command(request)).recorded_before
    filed.sell()
    filed.check_chain()
    assert len(filed.entries()) == 3


@pytest.mark.parametrize("committed", [True, False])
def test_law_1_an_interrupt_in_commit_leaves_the_head_to_the_file(
    filed: TerminalMemory, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """A caller commits on its own thread, which may be the one that Ctrl-C interrupts."""
    request = filed.sale_request(member_id=MEMBER)
    commit = PinnedConnection.commit

    def interrupted(connection: PinnedConnection) -> None:
        if committed:
            commit(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PinnedConnection, "commit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            filed.run(filed.sale_command(request))
    assert filed.run(filed.sale_command(request)).recorded_before is committed
    filed.sell()
    filed.check_chain()
    assert len(filed.entries()) == 3


def fill(memory: TerminalMemory) -> None:
    """Leave no page to write."""
    sqlite_of(memory.store).execute(f"PRAGMA max_page_count = {pragma(memory.store, 'page_count')}")


def test_law_11_a_full_disk_refuses_and_selling_goes_on_when_there_is_room(filed: TerminalMemory) -> None:
    fill(filed)
    big = basket_of(*[100] * 400)
    request = filed.sale_request(big, member_id=MEMBER)
    with pytest.raises((JournalUnavailable, OutcomeUnknown)):
        filed.run(filed.sale_command(request))
    # Recovery opened the file anew, with its own limit of pages.
    assert filed.run(filed.sale_command(request)).recorded_before is False
    assert filed.run(filed.sale_command(request)).recorded_before
    assert len(filed.entries()) == 2
    filed.check_chain()


def test_a_full_disk_of_a_store_in_memory_keeps_what_is_there(memory: TerminalMemory) -> None:
    memory.sell()
    fill(memory)
    with pytest.raises((JournalUnavailable, OutcomeUnknown)):
        memory.sell(basket_of(*[100] * 400))
    sqlite_of(memory.store).execute("PRAGMA max_page_count = 100000")
    memory.sell()
    assert [entry.seq for entry in memory.entries()] == [1, 2, 3]
    memory.check_chain()


def test_readers_go_on_while_the_writer_recovers(filed: TerminalMemory) -> None:
    with filed.store.reading() as connection:
        fail_at_commit(filed.store)
        with pytest.raises(OutcomeUnknown):
            filed.sell()
        assert connection.exec_driver_sql("SELECT count(*) FROM entries").scalar() == 1
    assert filed.scalar("SELECT count(*) FROM entries") == 1


def test_a_journal_that_cannot_be_reopened_is_unavailable_until_it_can(
    filed: TerminalMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at_commit(filed.store)
    with monkeypatch.context() as patch:
        patch.setattr("sync.database.PRAGMAS", ("PRAGMA journal_mode = WAL", "no pragma"))
        with pytest.raises(OutcomeUnknown):
            filed.sell()
        with pytest.raises(JournalUnavailable):
            filed.sell()
    filed.sell()
    filed.check_chain()
    assert len(filed.entries()) == 2


def test_a_failing_file_is_unavailable_not_a_traceback(filed: TerminalMemory) -> None:
    def failing(transaction: Transaction) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(JournalUnavailable, match="disk I/O error"):
        filed.run(failing)
    filed.sell()


def test_another_writer_is_waited_for_and_then_refused(filed: TerminalMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert filed.path is not None
    monkeypatch.setattr("sync.database.PRAGMAS", ("PRAGMA busy_timeout = 1", *PRAGMAS))
    filed.reopen()
    with closing(sqlite3.connect(filed.path, isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match="locked"):
            filed.sell()
        intruder.execute("ROLLBACK")
    filed.sell()


def refused_text(memory: TerminalMemory) -> str:
    store = memory.new_store()
    with pytest.raises(StoreRefused) as caught:
        store.open()
    return str(caught.value)


def test_a_file_of_another_program_is_refused_and_left_alone(filed: TerminalMemory, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()
    before = path.read_bytes()
    filed.path = path
    assert "choose another data directory" in refused_text(filed)
    assert path.read_bytes() == before


def test_a_newer_version_is_refused_and_left_alone(filed: TerminalMemory) -> None:
    filed.store.close()
    assert filed.path is not None
    with closing(sqlite3.connect(filed.path)) as other:
        other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert "install the release that wrote it" in refused_text(filed)
    with closing(sqlite3.connect(filed.path)) as other:
        assert other.execute("SELECT count(*) FROM entries").fetchone() == (1,)


@pytest.mark.parametrize("content", [b"this is no database at all" * 200, b"SQLite format 3\0" + b"\xff" * 4080])
def test_law_11_a_file_that_is_no_database_is_kept_aside_and_the_shop_sells(
    filed: TerminalMemory, tmp_path: Path, content: bytes
) -> None:
    filed.path = tmp_path / "other.db"
    filed.path.write_bytes(content)
    filed.reopen()
    filed.sell()
    (aside,) = tmp_path.glob("other.damaged-*")
    assert aside.read_bytes() == content
    assert [entry.seq for entry in filed.entries()] == [1, 2]


def test_a_missing_directory_is_refused_with_its_remedy(filed: TerminalMemory, tmp_path: Path) -> None:
    filed.path = tmp_path / "nowhere" / "journal.db"
    assert "check that the directory exists" in refused_text(filed)


def test_the_journal_of_another_terminal_is_refused(filed: TerminalMemory) -> None:
    filed.store.close()
    filed.identity = replace(filed.identity, terminal="till-2")
    assert "is the journal of terminal till-1, this is till-2" in refused_text(filed)


def test_an_empty_file_becomes_a_journal(filed: TerminalMemory, tmp_path: Path) -> None:
    filed.path = tmp_path / "empty.db"
    filed.path.touch()
    store = filed.new_store()
    store.open()
    assert store.transact([lambda transaction: transaction.head.seq])[0].value == 1
    store.close()


def test_hooks_stand_around_each_commit(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    memory = TerminalMemory(
        path=tmp_path / "journal.db",
        hooks=Hooks(
            before_commit=lambda commands: seen.append(("before", len(commands))),
            after_commit=lambda commands: seen.append(("after", len(commands))),
        ),
    )
    seen.clear()
    memory.results(*(memory.sale_command(memory.sale_request()) for _ in range(3)))
    assert seen == [("before", 3), ("after", 3)]
    memory.store.close()
