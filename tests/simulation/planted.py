"""Planted bugs: mistakes that a change might make, each of which the simulation must catch. Used by tests alone.

Every one is a context manager that puts the mistake into the real code and takes it out again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from central_api.exchange import changes, grants, upload
from central_api.judging import matter, sitting
from central_api.judging import reversals as judge_reversals
from central_api.judging import sales as judge_sales
from central_api.judging.matter import Matter
from central_api.ledger import books
from central_api.ledger.accounts import Account
from central_api.ledger.member_accounts import MemberAccounts
from central_api.ledger.records import Sale
from central_api.ledger.settling import Settlement
from central_api.members import snapshots
from central_api.storage.statements import upsert_rows
from sync import answers, exchange, reversals, sales
from sync import grants as terminal_grants
from sync.answers import AnswerRefused, StoreAcknowledgement, hash_here
from sync.holds import ReleaseHold
from sync.sales import RecordSale
from sync.transaction import Transaction
from tests.simulation.central_site import CentralBreaks, CentralSite
from tests.simulation.scheduler import Life
from tests.simulation.terminal import SimulatedTerminal

__all__ = ["PLANTED"]

Planted = Callable[[], AbstractContextManager[None]]


@contextmanager
def acknowledged_by_count() -> Iterator[None]:
    """The terminal counts what it has sent, also what it appended meanwhile, and reads no watermark."""
    real = StoreAcknowledgement.__call__

    def acknowledge(command: StoreAcknowledgement, transaction: Transaction) -> int:
        seq = min(real(command, transaction) + 1, transaction.head.seq)
        transaction.set_meta(watermark=str(seq), watermark_hash=hash_here(transaction, seq) or "")
        return seq

    with patch.object(StoreAcknowledgement, "__call__", acknowledge):
        yield


@contextmanager
def acknowledged_without_hash() -> Iterator[None]:
    """The terminal believes any watermark up to its head: also one that was meant for somebody else."""

    def check(command: StoreAcknowledgement, transaction: Transaction) -> None:
        current = int(transaction.meta("watermark") or 0)
        if not current <= command.answer.watermark <= transaction.head.seq:
            raise AnswerRefused("not ours")

    with patch.object(StoreAcknowledgement, "_check", check):
        yield


@contextmanager
def answered_before_it_is_durable() -> Iterator[None]:
    """The terminal answers when a sale is in memory: a crash takes the newest commit with it."""
    commit, end = SimulatedTerminal._commit, SimulatedTerminal.end
    before: dict[str, bytes] = {}

    def committing(terminal: SimulatedTerminal, life: Life) -> None:
        if not life.over:
            before[terminal.name] = terminal.image()
        commit(terminal, life)

    def ending(terminal: SimulatedTerminal) -> None:
        end(terminal)
        terminal._image = before.get(terminal.name, terminal._image)

    with patch.object(SimulatedTerminal, "_commit", committing), patch.object(SimulatedTerminal, "end", ending):
        yield


@contextmanager
def central_answers_before_the_commit() -> Iterator[None]:
    """Central's answer goes out although its transaction was undone."""
    real = CentralSite.decide

    def decide(site: CentralSite, work: Callable[[Any], Any]) -> Any:
        values: list[Any] = []
        try:
            return real(site, lambda connection: values.append(work(connection)) or values[-1])  # type: ignore[func-returns-value]  # the list keeps it
        except CentralBreaks:
            return values[-1]

    with patch.object(CentralSite, "decide", decide):
        yield


@contextmanager
def bytes_encoded_again() -> Iterator[None]:
    """Central stores entries as it would write them itself."""
    real = upload._new_rows

    def new_rows(*arguments: Any) -> Any:
        rows = real(*arguments)
        for row in rows:
            row.data = json.dumps(json.loads(row.data), sort_keys=True).encode()
        return rows

    with patch.object(upload, "_new_rows", new_rows):
        yield


@contextmanager
def dedup_only_lately() -> Iterator[None]:
    """The terminal forgets a receipt after some more entries."""
    real: Any = vars(sales)["recorded_before"]

    def recorded_before(transaction: Transaction, key: Any, digest: bytes) -> Any:
        earlier = real(transaction, key, digest)
        if earlier is None or earlier.seq > transaction.head.seq - 5:
            return earlier
        transaction.execute("DELETE FROM receipts WHERE seq = ?", (earlier.seq,))
        return None

    with (
        patch.object(sales, "recorded_before", recorded_before),
        patch.object(reversals, "recorded_before", recorded_before),
    ):
        yield


@contextmanager
def dedup_not_at_central() -> Iterator[None]:
    """Central no longer knows which entry has a receipt once the upload is over."""
    real: Any = vars(books)["insert_rows"]

    def insert(connection: Any, table: Any, rows: Any) -> None:
        (upsert_rows if table.name == "receipts" else real)(connection, table, rows)

    def load(found: Any, keys: Sequence[Any]) -> Mapping[Any, str]:
        return {}

    with patch.object(books.Books, "_load_receipts", load), patch.object(books, "insert_rows", insert):
        yield


@contextmanager
def retry_under_a_new_key() -> Iterator[None]:
    """A retry gets a receipt number of its own."""
    real = RecordSale.__call__

    def record(command: RecordSale, transaction: Transaction) -> Any:
        sale = real(command, transaction)
        if not sale.recorded_before:
            return sale
        request = replace(command.request, receipt_number=f"{command.request.receipt_number}-{transaction.head.seq}")
        return real(replace(command, request=request), transaction)

    with patch.object(RecordSale, "__call__", record):
        yield


@contextmanager
def cursor_past_an_open_transaction() -> Iterator[None]:
    """A reader sees the newest change, and not the one before it, whose transaction is still open."""
    real = changes._rows

    def rows(*arguments: Any) -> Any:
        found = real(*arguments)
        return [*found[:-2], found[-1]] if len(found) > 1 else found

    with patch.object(changes, "_rows", rows):
        yield


@contextmanager
def hold_not_consumed() -> Iterator[None]:
    """A sale leaves its hold open."""
    real = Transaction.execute

    def execute(transaction: Transaction, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        if statement.startswith("UPDATE holds SET state = 'spent'"):
            statement, parameters = "SELECT 1", ()
        return real(transaction, statement, parameters)

    with patch.object(Transaction, "execute", execute):
        yield


@contextmanager
def release_not_journalled() -> Iterator[None]:
    """A release changes the terminal's own tables and tells nobody."""
    real = ReleaseHold.__call__

    def release(command: ReleaseHold, transaction: Transaction) -> Any:
        with patch.object(Transaction, "append", lambda *_, **__: None):
            return real(command, transaction)

    with patch.object(ReleaseHold, "__call__", release):
        yield


@contextmanager
def expiry_by_the_local_clock() -> Iterator[None]:
    """A grant ends when the till's own clock says so, whatever central's time is."""

    def local(transaction: Transaction) -> Any:
        return transaction.host.now()

    with patch.object(terminal_grants, "_latest_time", local):
        yield


@contextmanager
def exact_grant_issued_twice() -> Iterator[None]:
    """A redemption that is asked for again gets points again."""

    def never(*_: Any) -> bool:
        return False

    with patch.object(grants, "_issued_before", never):
        yield


@contextmanager
def void_gives_back_twice() -> Iterator[None]:
    """A void gives the grant its points, and the member too."""
    real = judge_reversals._restore

    def restore(matter: Matter, sale: Sale, member_id: str) -> None:
        uses = matter.books.grant_uses.get(sale.entry_id) or ()
        real(matter, sale, member_id)
        for use in uses:
            matter.book(member_id, matter.account(member_id).credit(use.points), "twice")

    with patch.object(judge_reversals, "_restore", restore):
        yield


@contextmanager
def rule_wrong_on_both_sides() -> Iterator[None]:
    """The rules, which both sides share, give a point too much for long baskets."""
    real: Any = vars(sales)["points_earned"]

    def earned(programme: Any, basket: Any, discount_minor: int = 0) -> int:
        points: int = real(programme, basket, discount_minor)
        return points + (len(basket.lines) > 2)

    with patch.object(sales, "points_earned", earned), patch.object(judge_sales, "points_earned", earned):
        yield


@contextmanager
def programme_in_force_for_all() -> Iterator[None]:
    """Central judges a sale by the programme of today, not by that of the sale."""
    real = Matter.programme

    def programme(matter: Matter, basket: Any) -> Any:
        found = real(matter, basket)
        matter.books.programmes.fetch(range(1, 4))
        return max((one for _, one in matter.books.programmes.items()), key=lambda one: one.version, default=found)

    with patch.object(Matter, "programme", programme):
        yield


@contextmanager
def attachment_left_behind() -> Iterator[None]:
    """An upload goes without the sealed card numbers."""
    real: Any = vars(exchange)["queue_batch"]

    def batch(*arguments: Any) -> Any:
        return [entry._replace(sealed=None) for entry in real(*arguments)]

    with patch.object(exchange, "queue_batch", batch):
        yield


@contextmanager
def snapshot_says_too_little() -> Iterator[None]:
    """A snapshot contains one entry more than it says: the till counts that entry twice."""
    real: Any = vars(snapshots)["Snapshot"]

    def snapshot(**values: Any) -> Any:
        return real(**values | {"includes_seq": max(0, values["includes_seq"] - 1)})

    with patch.object(snapshots, "Snapshot", snapshot):
        yield


@contextmanager
def nobody_wakes_what_waits() -> Iterator[None]:
    """A sale arrives, and the return that waited for it stays held."""

    def nothing(_: Any) -> str:
        return ""

    with patch.object(sitting, "_wakes", nothing):
        yield


@contextmanager
def grants_not_told() -> Iterator[None]:
    """The feed leaves out grants: where the answer that carried one was lost, nobody can close it."""
    with patch.object(answers.StoreChanges, "__call__", _without_grants(answers.StoreChanges.__call__)):
        yield


@contextmanager
def grant_spent_twice_after_a_restore() -> Iterator[None]:
    """A till whose disk was restored spends what it finds or hears of, as if no life before had spent of it."""
    real: Any = Transaction.execute

    def execute(transaction: Transaction, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        if statement.startswith("UPDATE grants SET confirmed = 0"):
            statement = "SELECT 1"
        elif statement.startswith("INSERT INTO grants"):
            parameters = (*parameters[:-1], 1)
        return real(transaction, statement, parameters)

    with patch.object(Transaction, "execute", execute):
        yield


@contextmanager
def weeks_taken_for_months() -> Iterator[None]:
    """Points expire after as many weeks as the programme says months."""
    real: Any = vars(matter)["points_expire_at"]

    def expire(programme: Any, earned_at: datetime) -> datetime | None:
        months = None if programme.expiry is None else programme.expiry.months_after_earning
        return earned_at + timedelta(weeks=months) if months else real(programme, earned_at)

    with patch.object(matter, "points_expire_at", expire):
        yield


@contextmanager
def nobody_is_told_of_dates() -> Iterator[None]:
    """Points that became available or expired are booked, and the tills go on showing what was there before."""
    real = MemberAccounts._settle

    def settle(accounts: MemberAccounts, due: Mapping[str, Account]) -> None:
        real(accounts, due)
        accounts._before |= {member_id: account.balance for member_id, account in due.items()}

    with patch.object(MemberAccounts, "_settle", settle):
        yield


@contextmanager
def late_news_changes_nothing() -> Iterator[None]:
    """What concerns a time that was booked before is booked as if it were new."""

    def unconcerned(*_: Any) -> None:
        return None

    with patch.object(Settlement, "concerned_by", unconcerned):
        yield


@contextmanager
def order_of_judging_not_kept() -> Iterator[None]:
    """Central does not tell in which order it judged: what is left to go by is when entries arrived."""

    def none(_: Any) -> int:
        return 0

    with patch.object(sitting, "next_sitting", none):
        yield


def _without_grants(real: Any) -> Any:
    def store(command: Any, transaction: Transaction) -> Any:
        return real(replace(command, page=replace(command.page, grants=())), transaction)

    return store


PLANTED: Mapping[str, Planted] = {
    planted.__name__: planted
    for planted in (
        acknowledged_by_count,
        acknowledged_without_hash,
        answered_before_it_is_durable,
        central_answers_before_the_commit,
        bytes_encoded_again,
        dedup_only_lately,
        dedup_not_at_central,
        retry_under_a_new_key,
        cursor_past_an_open_transaction,
        hold_not_consumed,
        release_not_journalled,
        expiry_by_the_local_clock,
        exact_grant_issued_twice,
        void_gives_back_twice,
        rule_wrong_on_both_sides,
        programme_in_force_for_all,
        attachment_left_behind,
        snapshot_says_too_little,
        nobody_wakes_what_waits,
        grants_not_told,
        grant_spent_twice_after_a_restore,
        weeks_taken_for_months,
        nobody_is_told_of_dates,
        late_news_changes_nothing,
        order_of_judging_not_kept,
    )
}
