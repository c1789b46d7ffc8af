"""Makes one member of two: what the one has, and what still arrives for it, is the other's from then on.

Lots, debits, sales, entries, grants and what is set aside are moved by their rows, the accounts by transfers of their
own: those of the member that was merged end at nothing. A till that knows only the old id goes on using it
(`MemberAccounts.member_of`). Personal data that the old member's own key seals (its name, old attachments) stays there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from central_api.capabilities import Capabilities
from central_api.ledger.accounts import AccountName, Movement
from central_api.ledger.books import Books
from central_api.problems import refuse
from central_api.storage.personal import member_keys_of
from central_api.storage.schema import aliases, entries, grants, interest, sales, transfers
from central_api.storage.schema_ledger import debits, decisions, lots, settlements, standings
from central_api.storage.schema_office import merges
from central_api.storage.statements import insert_missing, insert_rows, total
from loyalty_sdk.office import REASON_LENGTH_MAX

__all__ = ["check_reason", "merge"]

ALIAS_PURPOSE = "alias\n"


def merge(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    source_id: str,
    target_id: str,
    reason: str,
    actor: str,
) -> None:
    """Make one member of two: all that the source has, and what still arrives for it, counts for the target.

    Raises Refused: `not-found`, `invalid-request` for no reason, `conflict` for the same member twice and for one that
    was merged already.
    """
    if source_id == target_id:
        raise refuse("conflict", "a member cannot be merged with itself; name two")
    check_reason(reason)
    _settle(connection, capabilities, tenant, (source_id, target_id))
    _move_rows(connection, tenant, source_id, target_id)
    _move_aliases(connection, capabilities, tenant, source_id, target_id)
    _move_accounts(connection, capabilities, tenant, source_id, target_id)
    connection.execute(delete(settlements).where(_of(settlements, tenant, source_id)))
    before = (merges.c.tenant == tenant) & (merges.c.into_member_id == source_id)
    connection.execute(update(merges).where(before).values(into_member_id=target_id))
    row = {
        "tenant": tenant,
        "member_id": source_id,
        "into_member_id": target_id,
        "merged_at": capabilities.now(),
        "actor": actor,
        "reason": reason,
    }
    insert_rows(connection, merges, [row])


def check_reason(reason: str) -> None:
    """Refuse a reason that says nothing, or cannot be kept. Raises Refused `invalid-request`."""
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX or not reason.isprintable():
        raise refuse("invalid-request", f"give a reason of 1 to {REASON_LENGTH_MAX} printable characters")


def _of(table: Table, tenant: str, member_id: str) -> ColumnElement[bool]:
    return (table.c.tenant == tenant) & (table.c.member_id == member_id)


def _settle(connection: Connection, capabilities: Capabilities, tenant: str, member_ids: Sequence[str]) -> None:
    """Lock both, and book what time did to them; refuse what cannot be merged."""
    books = Books(connection, tenant, capabilities.now())
    books.accounts.fetch(member_ids)
    for member_id in member_ids:
        if books.accounts.get(member_id) is None:
            raise refuse("not-found", f"there is no member {member_id}; see: loyalty-central member list")
        if (into := books.accounts.member_of(member_id)) != member_id:
            raise refuse("conflict", f"member {member_id} was merged into {into} already; name that one")
    books.write()


def _move_rows(connection: Connection, tenant: str, source_id: str, target_id: str) -> None:
    bought = select(entries.c.id).where(_of(entries, tenant, source_id))
    sold = (sales.c.tenant == tenant) & sales.c.entry_id.in_(bought) & (sales.c.member_id == source_id)
    connection.execute(update(sales).where(sold).values(member_id=target_id))
    # What both had together was folded by nobody yet.
    for member_id in (source_id, target_id):
        connection.execute(delete(standings).where(_of(standings, tenant, member_id)))
    for table in (entries, grants, lots, debits, decisions):
        connection.execute(update(table).where(_of(table, tenant, source_id)).values(member_id=target_id))
    tills = connection.execute(select(interest.c.terminal).where(_of(interest, tenant, source_id))).scalars()
    rows = [{"tenant": tenant, "member_id": target_id, "terminal": terminal} for terminal in tills]
    insert_missing(connection, interest, rows)


def _move_aliases(
    connection: Connection, capabilities: Capabilities, tenant: str, source_id: str, target_id: str
) -> None:
    """Seal each under the key of the member that has it now; one whose key was erased stays unreadable."""
    keys = member_keys_of(connection, capabilities, tenant, (source_id, target_id))
    source, target = keys.get(source_id), keys.get(target_id)
    for row in connection.execute(select(aliases).where(_of(aliases, tenant, source_id))).all():
        sealed, purpose = row.sealed, ALIAS_PURPOSE + row.digest
        if source is not None and target is not None:
            sealed = target.seal(capabilities, purpose, source.open(purpose, sealed))
        mine = (aliases.c.tenant == tenant) & (aliases.c.digest == row.digest)
        connection.execute(update(aliases).where(mine).values(member_id=target_id, sealed=sealed))


def _move_accounts(
    connection: Connection, capabilities: Capabilities, tenant: str, source_id: str, target_id: str
) -> None:
    """Move every figure of an account through `issued`, then fold what both were given and what was taken of both."""
    books = Books(connection, tenant, capabilities.now())
    books.accounts.fetch((source_id, target_id))
    source, target = books.accounts.get(source_id), books.accounts.get(target_id)
    if source is None or target is None:
        raise ValueError("only members who exist are merged")
    given, taken = list[Movement](), list[Movement]()
    for account, points in _sums(connection, tenant, source_id).items():
        if account != "issued" and points:
            out = Movement(account, "issued", points) if points > 0 else Movement("issued", account, -points)
            given.append(out)
            if account not in ("available", "owed", "pending"):
                taken.append(Movement(out.target, out.source, out.points))
    taken += target.earn_pending(source.pending) + target.earn(source.available) + target.take_back(source.owed)
    target.expired += source.expired
    target.written_off += source.written_off
    for terminal, points in source.reserved.items():
        target.reserved[terminal] = target.reserved.get(terminal, 0) + points
    source.available = source.pending = source.owed = 0
    source.reserved = dict.fromkeys(source.reserved, 0)
    now, cause = books.recorded_at, f"merge/{source_id}"
    books.book(source_id, given, terminal="", effective_at=now, reason="merged", cause=f"{cause}/from")
    books.book(target_id, taken, terminal="", effective_at=now, reason="merged", cause=f"{cause}/into")
    books.accounts.fold_again(target_id, cause)
    books.write()


def _sums(connection: Connection, tenant: str, member_id: str) -> dict[AccountName, int]:
    """Each account's balance: what came less what went."""
    found: dict[AccountName, int] = {}
    for column, sign in ((transfers.c.to_account, 1), (transfers.c.from_account, -1)):
        query = select(column, total(transfers.c.points)).where(_of(transfers, tenant, member_id)).group_by(column)
        for account, points in connection.execute(query):
            found[account] = found.get(account, 0) + sign * points
    return found
