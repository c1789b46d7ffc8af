"""Damage of every kind: what is set aside, what is taken up, and that the shop sells on."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import JournalOpenedBody, first_hash
from loyalty_sdk.errors import JournalUnavailable, OutcomeUnknown
from loyalty_sdk.model import ReturnLine
from sync.answers import StoreAcknowledgement
from sync.pruning import Prune
from sync.replacement import Replacement
from sync.store import report_damage
from tests.support.terminal_memory import MEMBER, TerminalMemory, basket_of, verify_chain

PAGE_BYTES = 4096
SECTOR_BYTES = 512
TRIES_MAX = 3
SEEDS = range(6)
MONTH = timedelta(days=31)


@pytest.fixture
def selling(filed: TerminalMemory) -> TerminalMemory:
    """A till with sales, attachments, a return, an open hold and a spent one; central holds the first third."""
    filed.know(900, filed.grant(300))
    for _ in range(12):
        filed.sell(basket_of(1_000))
        filed.run(filed.sale_command(filed.sale_request(alias="CARD-9")))
    head = filed.scalar("SELECT max(seq) FROM entries")
    filed.run(StoreAcknowledgement(answer=filed.acknowledgement(head // 3)))
    filed.redeem(filed.hold())
    filed.hold()
    sold = filed.sell(basket_of(500, 700))
    filed.reverse("return", sold.receipt, ReturnLine(line=1, quantity=sold_quantity()))
    return filed


def sold_quantity() -> Any:
    return basket_of(1).lines[0].quantity


def path_of(memory: TerminalMemory) -> Path:
    assert memory.path is not None
    return memory.path


def bytes_of(path: Path) -> dict[str, bytes]:
    """The database and its log, as they lie on the disk."""
    return {
        companion: beside.read_bytes()
        for companion in ("", "-wal")
        if (beside := path.with_name(path.name + companion)).exists() and (not companion or beside.stat().st_size)
    }


def die(memory: TerminalMemory) -> None:
    """End like a killed process: nothing is folded, no lock is left."""
    memory.store._database.abandon()
    memory.store.close()


def only_aside(memory: TerminalMemory) -> Path:
    (aside,) = path_of(memory).parent.glob("journal.damaged-*.db")
    return aside


def page_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(root) - 1


def trash(path: Path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE_BYTES)
            file.write(random.Random(page).randbytes(PAGE_BYTES))


def folded(memory: TerminalMemory) -> Path:
    """Close the journal, so that its file holds everything."""
    memory.store.close()
    return path_of(memory)


def sell_somehow(memory: TerminalMemory) -> str:
    """Sell as a POS does: the same receipt key again where the till does not know."""
    request = memory.sale_request(basket_of(800), member_id=MEMBER)
    for _ in range(TRIES_MAX):
        (result,) = memory.results(memory.sale_command(request))
        if result.error is None:
            return str(result.value.entry_id)
        assert isinstance(result.error, (OutcomeUnknown, JournalUnavailable)), repr(result.error)
    raise AssertionError("the till never sold again")


def check_new_chain(memory: TerminalMemory) -> None:
    opened = memory.entries()[0]
    assert isinstance(opened.body, JournalOpenedBody)
    previous = bytes.fromhex(opened.body.previous_hash or "")
    verify_chain(first_hash(opened.terminal, opened.journal, previous), memory.chain())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size_bytes", [PAGE_BYTES, SECTOR_BYTES, 16])
def test_law_11_whatever_is_overwritten_the_shop_sells_and_nothing_is_made_up(
    selling: TerminalMemory, seed: int, size_bytes: int
) -> None:
    """Noise over random places: the till opens, sells, and holds no entry that was not there before, and none twice."""
    chance, written = random.Random(f"{seed}/{size_bytes}"), {entry.id: entry for entry in selling.entries()}
    path = folded(selling)
    with path.open("r+b") as file:
        for _ in range(chance.randint(1, 4)):
            # The first page is a test of its own: without it, SQLite may take the file for another program's.
            file.seek(chance.randrange(PAGE_BYTES // size_bytes, path.stat().st_size // size_bytes) * size_bytes)
            file.write(chance.randbytes(size_bytes))
    damaged = bytes_of(path)
    selling.store = selling.new_store()
    selling.store.open()
    if not selling.store.is_sound():
        (result,) = selling.results(report_damage)
        assert isinstance(result.error, OutcomeUnknown)
    sold = sell_somehow(selling)
    selling.reopen()
    entries = selling.entries()
    ids = [entry.id for entry in entries]
    assert sold in ids
    assert len(set(ids)) == len(ids)
    assert all(entry.body == written[entry.id].body for entry in entries if entry.id in written)
    asides = list(path.parent.glob("journal.damaged-*.db"))
    assert [bytes_of(aside) for aside in asides[:1]] == [damaged][: len(asides)]
    if asides:
        check_new_chain(selling)
        assert selling.store.is_sound()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_entry_that_was_altered_is_never_recorded_again(selling: TerminalMemory, seed: int) -> None:
    """SQLite does not notice a changed digit; the chain does."""
    chance = random.Random(seed)
    queued = selling.rows("SELECT seq, bytes, id FROM entries WHERE seq > ?", selling.store.head_seq // 3)
    data = chance.choice([row for row in queued if b'"quantity":"1"' in row.bytes])
    altered = data.bytes.replace(b'"quantity":"1"', b'"quantity":"9"')
    alter = "UPDATE entries SET bytes = ? WHERE seq = ?"
    selling.run(lambda transaction: transaction.execute(alter, (altered, data.seq)))
    (result,) = selling.results(report_damage)
    assert isinstance(result.error, OutcomeUnknown)
    assert data.id not in [entry.id for entry in selling.entries()]
    sell_somehow(selling)
    check_new_chain(selling)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_law_5_a_receipt_is_forgotten_with_an_entry_that_only_the_till_had(
    filed: TerminalMemory, acknowledged: bool
) -> None:
    """Or else its sale could never reach central; where central has the entry, the receipt answers on."""
    filed.know(0)
    filed.sell()
    command = filed.sale_command(filed.sale_request(basket_of(700), member_id=MEMBER))
    first = filed.run(command)
    if acknowledged:
        filed.run(StoreAcknowledgement(answer=filed.acknowledgement(filed.store.head_seq)))
    filed.sell()
    seq = "(SELECT seq FROM entries WHERE id = ?)"
    spoil = f"UPDATE entries SET bytes = x'00' WHERE seq = {seq}"
    filed.run(lambda transaction: transaction.execute(spoil, (first.entry_id,)))
    filed.results(report_damage)
    again = filed.run(command)
    assert again.recorded_before is acknowledged
    assert again.points_earned == first.points_earned == 7


def test_damage_that_a_statement_meets_is_set_aside_as_it_was_with_its_log(selling: TerminalMemory) -> None:
    """In the middle of selling: the log is neither folded into the damaged file nor lost."""
    path = path_of(selling)
    kept = [entry.id for entry in selling.entries()][1:]
    checkpoint(selling)
    trash(path, page_of(path, "receipts"))
    drop_cache(selling)
    before = bytes_of(path)
    request = selling.sale_request(basket_of(800), member_id=MEMBER)
    (result,) = selling.results(selling.sale_command(request))
    assert isinstance(result.error, OutcomeUnknown)
    assert "same receipt key" in str(result.error)
    assert bytes_of(only_aside(selling)) == before
    selling.run(selling.sale_command(request))
    assert [entry.id for entry in selling.entries()][1:-1] == kept
    check_new_chain(selling)


def checkpoint(memory: TerminalMemory) -> None:
    driver: Any = memory.store._database.writer.connection.driver_connection
    driver.execute("PRAGMA wal_checkpoint(PASSIVE)")


def drop_cache(memory: TerminalMemory) -> None:
    """Let the writing connection read from the disk again, as it does once its memory is full."""
    memory.store._database.connect()
    memory.store._database.scalar("SELECT 1")


def test_damage_that_a_reader_meets_is_replaced_by_the_next_sale(selling: TerminalMemory) -> None:
    path = path_of(selling)
    checkpoint(selling)
    trash(path, page_of(path, "snapshots"))
    selling.store._database._close_others()
    selling.store._database.connect()
    with pytest.raises(JournalUnavailable, match="try again"):
        selling.view()
    journal = only_journal(path)
    sale = selling.sell(basket_of(800))
    assert selling.journal != journal
    assert sale.entry_id in [entry.id for entry in selling.entries()]
    assert only_aside(selling)
    check_new_chain(selling)


def only_journal(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE name = 'journal'").fetchone()[0])


def test_a_reader_of_the_file_before_does_not_condemn_the_new_one(selling: TerminalMemory) -> None:
    with pytest.raises(JournalUnavailable), selling.store.reading():  # noqa: PT012  # the reader spans the replacement
        selling.results(report_damage)
        journal = selling.journal
        raise malformed()
    selling.sell()
    assert selling.journal == journal
    assert only_aside(selling)


def malformed() -> Exception:
    cause = sqlite3.DatabaseError("database disk image is malformed")
    cause.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return DBAPIError("SELECT", None, cause)


def test_a_reader_that_outlives_the_file_leaves_the_new_log_alone(selling: TerminalMemory) -> None:
    """SQLite deletes a log by its name when the last connection closes: by then that is the new journal's."""
    path = path_of(selling)
    with selling.store.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM entries").scalar()
        selling.results(report_damage)
        recorded = [selling.sell().entry_id for _ in range(3)]
    assert path.with_name(path.name + "-wal").exists()
    log = bytes_of(path)
    kept = path.parent / "kept.db"
    for companion, data in log.items():
        kept.with_name(kept.name + companion).write_bytes(data)
    with closing(sqlite3.connect(kept)) as copy:
        ids = [row[0] for row in copy.execute("SELECT id FROM entries")]
    assert set(recorded) <= set(ids), "the process may be killed here"


def test_a_log_beside_an_empty_file_is_kept(selling: TerminalMemory) -> None:
    """SQLite would take the file for a new one and delete the log."""
    path = path_of(selling)
    selling.sell()
    log = bytes_of(path)["-wal"]
    die(selling)
    path.write_bytes(b"")
    selling.store = selling.new_store()
    selling.store.open()
    assert bytes_of(only_aside(selling)) == {"": b"", "-wal": log}
    sell_somehow(selling)


def test_a_log_that_is_noise_costs_what_was_only_in_it(selling: TerminalMemory) -> None:
    """Its frames carry checksums: SQLite reads up to the first that fails, as after a power cut."""
    path, before = path_of(selling), len(selling.entries())
    checkpoint(selling)
    selling.sell()
    die(selling)
    log = path.with_name(path.name + "-wal")
    log.write_bytes(random.Random(1).randbytes(log.stat().st_size))
    selling.store = selling.new_store()
    selling.store.open()
    assert len(selling.entries()) == before
    sell_somehow(selling)
    selling.check_chain()


def test_what_was_pruned_and_what_is_left_are_taken_up(filed: TerminalMemory) -> None:
    """A journal whose first thousands of entries are gone is read from its floor on; receipts answer as before."""
    filed.know(0)
    requests = [filed.sale_request(basket_of(100), member_id=MEMBER) for _ in range(5_000)]
    for start in range(0, len(requests), 1_000):
        filed.results(*(filed.sale_command(request) for request in requests[start : start + 1_000]))
    head = filed.store.head_seq
    filed.run(StoreAcknowledgement(answer=filed.acknowledgement(head)))
    filed.know(5_000, revision=2, includes_seq=head)
    filed.clock.now += MONTH
    filed.run(StoreAcknowledgement(answer=filed.acknowledgement(head)))
    while filed.run(Prune(retention=timedelta(days=30))):
        pass
    queued = [filed.sell(basket_of(100)).entry_id for _ in range(3)]
    (result,) = filed.results(report_damage)
    assert isinstance(result.error, OutcomeUnknown)
    assert [entry.id for entry in filed.entries()][2:] == queued  # After the one that pruning left.
    view = filed.view()
    assert view is not None
    assert view.balance == 5_003
    again = filed.run(filed.sale_command(requests[0]))
    assert (again.recorded_before, again.points_earned) == (True, 1)
    assert filed.store.head_seq == 5


def test_attachments_go_along_and_are_deleted_with_their_acknowledgement(selling: TerminalMemory) -> None:
    """Those that central has acknowledged are gone by then (Law 12)."""
    sealed = {row.hash: row.sealed for row in selling.rows("SELECT hash, sealed FROM attachments")}
    assert sealed
    selling.results(report_damage)
    assert {row.hash: row.sealed for row in selling.rows("SELECT hash, sealed FROM attachments")} == sealed
    entry = next(entry for entry in selling.entries() if entry.attachment_hash in sealed)
    opened = selling.keys.open(sealed[entry.attachment_hash], entry.terminal, entry.id)
    assert opened == dumps({"alias": "CARD-9"})
    selling.run(StoreAcknowledgement(answer=selling.acknowledgement(selling.store.head_seq)))
    assert selling.scalar("SELECT count(*) FROM attachments") == 0


def test_returns_count_on_after_the_damage(selling: TerminalMemory) -> None:
    """What came back before still counts: the rest can be returned, and no more."""
    sold = selling.sell(basket_of(1_000, 2_000))
    first = selling.reverse("return", sold.receipt, ReturnLine(line=1, quantity=sold_quantity()))
    selling.results(report_damage)
    second = selling.reverse("return", sold.receipt)
    assert (first.points_debited, second.points_debited) == (10, 20)


def test_the_same_time_of_the_clock_twice_keeps_both_files(selling: TerminalMemory) -> None:
    """A till without a battery for its clock starts every day at the same second."""
    selling.results(report_damage)
    first = only_aside(selling).read_bytes()
    selling.sell()
    selling.results(report_damage)
    asides = sorted(path_of(selling).parent.glob("journal.damaged-*.db"), key=lambda aside: len(aside.name))
    assert len(asides) == 2
    assert asides[0].read_bytes() == first
    assert Replacement.begun(path_of(selling), selling.clock.now).aside not in asides
