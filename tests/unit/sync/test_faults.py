"""What the machine does to the journal, and what the journal does about it: docs/faults.md, row by row."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from loyalty_sdk.envelope import JournalOpenedBody, ReversalBody, first_hash
from loyalty_sdk.errors import JournalUnavailable, OutcomeUnknown, ReceiptConflict
from sync.answers import StoreAcknowledgement
from sync.holds import open_holds
from sync.identity import Identity
from sync.migrations import MIGRATIONS
from sync.pruning import Prune
from sync.reserve import Reserve
from sync.schema import SCHEMA_VERSION
from sync.store import Store, StoreRefused, report_damage
from tests.support.terminal_memory import TerminalMemory, basket_of, verify_chain

RELEASED = Path(__file__).parents[2] / "fixtures" / "v0.1.0"
PAGE_BYTES = 4096
RETENTION = timedelta(days=30)


@pytest.fixture
def selling(filed: TerminalMemory) -> TerminalMemory:
    """A terminal on a file that knows a member with 400 points, 300 of them granted, and sold five times."""
    filed.know(400, filed.grant(300))
    for _ in range(5):
        filed.sell(basket_of(1_000))
    return filed


def acknowledge(memory: TerminalMemory) -> None:
    """Central holds everything, and its snapshot contains it."""
    head = memory.scalar("SELECT max(seq) FROM entries")
    memory.run(StoreAcknowledgement(answer=memory.acknowledgement(head)))
    points = memory.scalar("SELECT coalesce(sum(points), 0) FROM entries WHERE member_id IS NOT NULL")
    memory.know(400 + points, revision=head, includes_seq=head)


def damage_pages(path: Path, *pages: int) -> bytes:
    """Fold the log into the file, then overwrite pages of it with noise; return the file's bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    for page in pages:
        data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = random.Random(page).randbytes(PAGE_BYTES)
    path.write_bytes(data)
    return bytes(data)


def page_of(path: Path, table: str) -> int:
    """The first page of a table, counted from 0."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(root) - 1


def test_an_older_release_is_brought_up_to_date(filed: TerminalMemory, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    shutil.copyfile(RELEASED / "journal.db", old)
    with closing(sqlite3.connect(old)) as before:
        (version,) = before.execute("PRAGMA user_version").fetchone()
        entries = before.execute("SELECT seq, bytes, hash FROM entries ORDER BY seq").fetchall()
        (terminal,) = before.execute("SELECT value FROM meta WHERE name = 'terminal'").fetchone()
    assert version == 1
    released = Store(old, _identity_of(filed, terminal), filed.store._host, "today")
    released.open()
    with released.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION
        kept = connection.exec_driver_sql("SELECT seq, bytes, hash FROM entries ORDER BY seq").all()
        assert [tuple(row) for row in kept] == entries
    (result,) = released.transact([filed.sale_command(filed.sale_request())])
    assert result.error is None
    released.close()
    assert _shape(old) == _shape(filed.path)


def _identity_of(memory: TerminalMemory, terminal: str) -> Identity:
    return replace(memory.identity, terminal=terminal)


def _shape(path: Path | None) -> dict[str, list[tuple[object, ...]]]:
    """Every table's columns (without the order in which they were added), and the columns of every index."""
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")]
        tables = {n: sorted(row[1:] for row in connection.execute(f"PRAGMA table_info({n})")) for n in names}
        indexes = {n: [row[1:] for row in connection.execute(f"PRAGMA index_info({n})")] for n in names}
    return tables | {f"index {name}": rows for name, rows in indexes.items()}


def test_every_older_version_has_its_step() -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION))


def test_a_kill_between_steps_is_taken_up_by_the_next_start(filed: TerminalMemory, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    shutil.copyfile(RELEASED / "journal.db", old)
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        terminal = connection.execute("SELECT value FROM meta WHERE name = 'terminal'").fetchone()[0]
        connection.execute("BEGIN")
        connection.execute(MIGRATIONS[1][0])
        connection.execute("ROLLBACK")
    store = Store(old, _identity_of(filed, terminal), filed.store._host, "today")
    store.open()
    store.close()
    assert _shape(old) == _shape(filed.path)


def test_a_newer_release_is_refused_and_left_alone(selling: TerminalMemory) -> None:
    assert selling.path is not None
    selling.store.close()
    with closing(sqlite3.connect(selling.path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = selling.path.read_bytes()
    with pytest.raises(StoreRefused, match="install the release that wrote it"):
        selling.new_store().open()
    assert selling.path.read_bytes() == before


def test_pruning_keeps_the_chain_the_queue_and_the_receipts(selling: TerminalMemory) -> None:
    sold = selling.sell(basket_of(2_000))
    request = selling.sale_request(basket_of(3_000))
    command = selling.sale_command(request)
    recorded = selling.run(command)
    acknowledge(selling)
    queued = selling.sell(basket_of(100))
    assert selling.run(Prune(retention=RETENTION)) == 0, "nothing is old enough"
    selling.clock.forward(days=31)
    selling.run(
        StoreAcknowledgement(answer=selling.acknowledgement(selling.scalar("SELECT max(seq) FROM entries") - 1))
    )
    pruned = selling.run(Prune(retention=RETENTION))
    assert pruned == selling.scalar("SELECT min(seq) FROM entries") - 1 > 0
    assert [entry.id for entry in selling.entries()] == [queued.entry_id]
    floor = bytes.fromhex(selling.scalar("SELECT value FROM meta WHERE name = 'floor_hash'"))
    chain = [(seq - pruned, data, digest) for seq, data, digest in selling.chain()]
    verify_chain(floor, chain)
    again = selling.run(command)
    assert again.recorded_before
    assert (again.entry_id, again.points_earned) == (recorded.entry_id, recorded.points_earned)
    with pytest.raises(ReceiptConflict):
        selling.run(selling.sale_command(selling.sale_request(basket_of(1), receipt_number=request.receipt_number)))
    reversal = selling.reverse("return", original=sold.receipt)
    assert reversal.points_debited is None, "the sale is gone from here; central works its points out"
    selling.reopen()
    selling.sell()


def test_pruning_counts_in_central_s_time(selling: TerminalMemory) -> None:
    acknowledge(selling)
    told = selling.clock.now
    selling.clock.forward(days=5 * 365)
    head = selling.scalar("SELECT max(seq) FROM entries")
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(head, central_time=told)))
    assert selling.run(Prune(retention=RETENTION)) == 0
    selling.clock.forward(days=-10 * 365)
    assert selling.run(Prune(retention=RETENTION)) == 0
    selling.sell()
    selling.check_chain()


def test_pruning_waits_for_the_snapshot(selling: TerminalMemory) -> None:
    head = selling.scalar("SELECT max(seq) FROM entries")
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(head)))
    selling.clock.forward(days=31)
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(head)))
    shown = selling.view()
    selling.run(Prune(retention=RETENTION))
    assert selling.view() == shown


def test_file_and_log_stay_bounded(filed: TerminalMemory) -> None:
    assert filed.path is not None
    filed.know(0)
    sizes = []
    for _ in range(4):
        commands = [filed.sale_command(filed.sale_request(basket_of(*[100] * 20))) for _ in range(200)]
        assert not [result.error for result in filed.results(*commands) if result.error]
        head = filed.scalar("SELECT max(seq) FROM entries")
        filed.run(StoreAcknowledgement(answer=filed.acknowledgement(head)))
        points = filed.scalar("SELECT coalesce(sum(points), 0) FROM entries")
        filed.know(points, revision=head, includes_seq=head)
        filed.clock.forward(days=31)
        filed.run(StoreAcknowledgement(answer=filed.acknowledgement(head)))
        while filed.run(Prune(retention=RETENTION)):
            pass
        filed.store.close()
        sizes.append(filed.path.stat().st_size)
        filed.reopen()
    receipts = 200 * 100
    assert sizes[-1] - sizes[0] < 3 * receipts


def test_a_full_disk_lets_what_frees_space_through(selling: TerminalMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = selling.hold()
    driver = selling.store._database.writer.connection.driver_connection
    assert driver is not None
    (pages,) = driver.execute("PRAGMA page_count").fetchone()
    driver.execute(f"PRAGMA max_page_count = {pages}")
    before = selling.scalar("SELECT count(*) FROM entries")
    monkeypatch.setattr(Reserve, "fill", lambda self: False)
    # Reopening after the failure lifts the page limit: that is the room that giving up the reserve makes.
    with pytest.raises(JournalUnavailable, match="free space on it"):
        selling.run(selling.sale_command(selling.sale_request(basket_of(*[100] * 1_500))))
    assert selling.scalar("SELECT count(*) FROM entries") == before
    assert "the disk is full" in selling.store.trouble
    with pytest.raises(JournalUnavailable):
        selling.sell()
    head = selling.scalar("SELECT max(seq) FROM entries")
    assert selling.run(StoreAcknowledgement(answer=selling.acknowledgement(head))) == head
    selling.release(hold)
    monkeypatch.undo()
    selling.sell()
    assert selling.store.trouble == ""


def test_the_reserve_is_made_given_up_and_made_again(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", size_bytes=1_000_000)
    assert reserve.fill()
    assert (tmp_path / "reserve").stat().st_size == 1_000_000
    assert reserve.give_up()
    assert not reserve.give_up()
    assert reserve.fill()


def test_a_damaged_journal_is_replaced_and_sells_at_once(selling: TerminalMemory) -> None:
    assert selling.path is not None
    first_journal, last = selling.journal, selling.entries()[-1]
    shown = selling.view()
    hold = selling.hold()
    retried = selling.sale_command(selling.sale_request(basket_of(700)))
    recorded = selling.run(retried)
    selling.store.close()
    damaged = damage_pages(selling.path, page_of(selling.path, "outcomes"), page_of(selling.path, "attachments"))
    selling.reopen()
    assert not selling.store.is_sound()
    with pytest.raises(OutcomeUnknown, match="replaced"):
        selling.run(report_damage)
    opened, *again = selling.entries()
    assert isinstance(opened.body, JournalOpenedBody)
    assert opened.body.previous_journal == first_journal
    assert opened.body.previous_hash is not None
    assert last.id in [entry.id for entry in again]
    (aside,) = selling.path.parent.glob("journal.damaged-*.db")
    assert aside.read_bytes() == damaged
    after, before = selling.view(), shown
    assert after is not None
    assert before is not None
    assert after.balance == before.balance + recorded.points_earned
    assert selling.run(retried).entry_id == recorded.entry_id
    with selling.store.reading() as connection:
        assert [h.hold_id for h in open_holds(connection, selling.sale_request().context)] == [hold.hold_id]
    selling.redeem(hold)
    previous = bytes.fromhex(opened.body.previous_hash)
    verify_chain(first_hash(opened.terminal, opened.journal, previous), selling.chain())


def test_a_void_of_a_sale_that_was_taken_over_is_a_full_return(selling: TerminalMemory) -> None:
    sold = selling.redeem(selling.hold())
    with pytest.raises(OutcomeUnknown):
        selling.run(report_damage)
    reversal = selling.reverse("void", original=sold.receipt)
    assert (reversal.points_debited, reversal.points_credited) == (sold.points_earned, sold.points_redeemed)
    body = selling.entries()[-1].body
    assert isinstance(body, ReversalBody)
    assert body.kind == "return"


@pytest.mark.parametrize("what", ["text", "header", "truncated", "every page"])
def test_whatever_became_of_the_file_the_shop_sells(selling: TerminalMemory, what: str) -> None:
    assert selling.path is not None
    selling.store.close()
    if what == "text":
        selling.path.write_bytes(b"this is no database at all" * 1_000)
    elif what == "header":
        damage_pages(selling.path, 0)
    elif what == "truncated":
        selling.path.write_bytes(selling.path.read_bytes()[: 5 * PAGE_BYTES + 100])
    else:
        damage_pages(selling.path, *range(selling.path.stat().st_size // PAGE_BYTES))
    selling.reopen()
    if not selling.store.is_sound():
        with pytest.raises(OutcomeUnknown):
            selling.run(report_damage)
    selling.store_programme()
    selling.sell()
    assert selling.store.is_sound()
    selling.check_chain()
    assert list(selling.path.parent.glob("journal.damaged-*.db"))


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


@pytest.mark.parametrize(
    "place", ["sync.store.read_damaged", "sync.store.take_up", "sync.replacement.finish_replacements"]
)
def test_a_kill_while_a_damaged_journal_is_replaced_loses_nothing_of_it(
    selling: TerminalMemory, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert selling.path is not None
    ids = [entry.id for entry in selling.entries()][1:]

    def killed(*_arguments: object, **_named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, killed)
        with pytest.raises(Killed):
            selling.run(report_damage)
    selling.store.close()
    selling.reopen()
    assert [entry.id for entry in selling.entries()][1:] == ids
    selling.sell()
    assert not list(selling.path.parent.glob("journal.replacement-*"))


def test_a_hold_outlives_the_pos_and_the_agent(selling: TerminalMemory) -> None:
    hold = selling.hold()
    selling.reopen()
    with selling.store.reading() as connection:
        assert [found.hold_id for found in open_holds(connection, selling.sale_request().context)] == [hold.hold_id]
    selling.release(hold)


def test_a_clock_that_jumps_by_years_breaks_nothing(selling: TerminalMemory) -> None:
    for years in (9, -18, 9):
        selling.clock.forward(days=years * 365)
        selling.sell()
        head = selling.scalar("SELECT max(seq) FROM entries")
        selling.run(StoreAcknowledgement(answer=selling.acknowledgement(head)))
    selling.check_chain()
    seen = [entry.central_time_seen for entry in selling.entries() if entry.central_time_seen]
    assert seen == sorted(seen), "central's time never runs back"


def test_too_old_an_sqlite_is_refused(filed: TerminalMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    filed.store.close()
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(StoreRefused, match="use a newer Python"):
        filed.new_store().open()
