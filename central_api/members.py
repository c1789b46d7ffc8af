"""Members: registered with aliases, found by alias. Names and aliases are sealed under the member's own key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.awaited import waits_for_alias
from central_api.capabilities import Capabilities
from central_api.locks import lock_members
from central_api.personal import member_keys_of, new_member_key
from central_api.problems import refuse
from central_api.schema import (
    aliases,
    balances,
    entries,
    grants,
    interest,
    member_keys,
    members,
    reservations,
    transfers,
)
from central_api.sitting import Sitting
from central_api.snapshots import NAME_PURPOSE, member_name
from central_api.statements import given, insert_missing, insert_rows, total
from central_api.terminals import Terminal

__all__ = [
    "ALIAS_LENGTH_MAX",
    "Registration",
    "aliases_taken",
    "find_member",
    "member_of_alias",
    "member_report",
    "member_rows",
    "note_interest",
    "register_members",
]

ALIAS_LENGTH_MAX = 256
NAME_LENGTH_MAX = 200
ALIAS_KIND = "code"
ALIAS_PURPOSE = "alias\n"
HISTORY_MAX = 1_000

_MEMBER_OF_ALIAS = select(aliases.c.member_id).where(given(aliases.c.tenant, aliases.c.digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One member to be: aliases (card number, token, phone, …) and, perhaps, a name."""

    aliases: tuple[str, ...]
    name: str = ""


def register_members(
    connection: Connection, capabilities: Capabilities, tenant: str, registrations: Sequence[Registration]
) -> list[str]:
    """Register members and judge again the entries that waited for their aliases. Returns their ids in order.

    Raises Refused: `invalid-request` for an alias or name that cannot be used, `conflict` for an alias that is taken.
    """
    digests = [[_digest(capabilities, tenant, alias) for alias in one.aliases] for one in registrations]
    _check_free(connection, tenant, registrations, digests)
    made = [_member_values(capabilities, tenant, one) for one in registrations]
    insert_rows(connection, members, [values for values, _, _ in made])
    insert_rows(connection, member_keys, [_key_values(values, wrapped) for values, _, wrapped in made])
    rows = [
        {
            "tenant": tenant,
            "digest": digest,
            "sealed": key.seal(capabilities, ALIAS_PURPOSE + digest, alias.strip().encode()),
            "kind": ALIAS_KIND,
            "member_id": values["member_id"],
        }
        for one, found, (values, key, _) in zip(registrations, digests, made, strict=True)
        for alias, digest in zip(one.aliases, found, strict=True)
    ]
    insert_rows(connection, aliases, rows)
    sitting = Sitting(connection, capabilities, tenant)
    sitting.judge_waiting(waits_for_alias(row["digest"]) for row in rows)
    sitting.write()
    return [values["member_id"] for values, _, _ in made]


def member_of_alias(connection: Connection, capabilities: Capabilities, tenant: str, alias: str) -> str | None:
    """Return the member of an alias, None where nobody has it."""
    digest = capabilities.keys.alias_digest(tenant, alias)
    return connection.execute(_MEMBER_OF_ALIAS, {"tenant": tenant, "digest": digest}).scalar_one_or_none()


def aliases_taken(connection: Connection, capabilities: Capabilities, tenant: str, wanted: Sequence[str]) -> set[str]:
    """Return those of the aliases that belong to members already."""
    by_digest = {capabilities.keys.alias_digest(tenant, alias): alias for alias in wanted}
    query = select(aliases.c.digest).where(aliases.c.tenant == tenant, aliases.c.digest.in_(list(by_digest)))
    return {by_digest[digest] for digest in connection.execute(query).scalars()}


def find_member(connection: Connection, capabilities: Capabilities, tenant: str, alias_or_id: str) -> str:
    """Return the member of an alias or of an id. Raises Refused `not-found`."""
    query = select(members.c.member_id).where(members.c.tenant == tenant, members.c.member_id == alias_or_id)
    by_id: str | None = connection.execute(query).scalar_one_or_none()
    found = by_id or member_of_alias(connection, capabilities, tenant, alias_or_id)
    if found is None:
        raise refuse("not-found", f"no member has the alias or id {alias_or_id}; see: loyalty-central member list")
    return found


def note_interest(connection: Connection, terminal: Terminal, member_id: str) -> None:
    """Note that a terminal is to hear of a member from now on, whom nobody else books until this transaction ends."""
    lock_members(connection, terminal.tenant, [member_id])
    row = {"tenant": terminal.tenant, "member_id": member_id, "terminal": terminal.terminal}
    insert_missing(connection, interest, [row])


def member_rows(connection: Connection, capabilities: Capabilities, tenant: str) -> list[dict[str, Any]]:
    """Return every member with name, aliases and balance, oldest first."""
    found = list(connection.execute(_with_balances(tenant).order_by(members.c.created_at, members.c.member_id)))
    return _described(connection, capabilities, tenant, found)


def member_report(
    connection: Connection, capabilities: Capabilities, tenant: str, member_id: str, latest: int
) -> dict[str, Any]:
    """Return one member with balance, and the `latest` (HISTORY_MAX at most) grants, entries and transfers."""
    found = list(connection.execute(_with_balances(tenant).where(members.c.member_id == member_id)))
    (report,) = _described(connection, capabilities, tenant, found)
    report["grants"] = _latest(
        connection,
        select(
            grants.c.grant_id,
            grants.c.terminal,
            grants.c.points,
            grants.c.spent,
            grants.c.released,
            grants.c.overdrawn,
            grants.c.not_after,
            grants.c.state,
            grants.c.recalled,
        )
        .where(grants.c.tenant == tenant, grants.c.member_id == member_id)
        .order_by(grants.c.issued_at.desc(), grants.c.grant_id.desc()),
        latest,
    )
    report["entries"] = _latest(
        connection,
        select(
            entries.c.effective_at,
            entries.c.terminal,
            entries.c.seq,
            entries.c.kind,
            entries.c.outcome,
            entries.c.reason,
            entries.c.points,
            entries.c.id,
        )
        .where(entries.c.tenant == tenant, entries.c.member_id == member_id)
        .order_by(entries.c.effective_at.desc(), entries.c.terminal, entries.c.journal, entries.c.seq.desc()),
        latest,
    )
    report["transfers"] = _latest(
        connection,
        select(
            transfers.c.effective_at,
            transfers.c.from_account,
            transfers.c.to_account,
            transfers.c.points,
            transfers.c.terminal,
            transfers.c.reason,
            transfers.c.id,
        )
        .where(transfers.c.tenant == tenant, transfers.c.member_id == member_id)
        .order_by(transfers.c.effective_at.desc(), transfers.c.id.desc()),
        latest,
    )
    return report


def _latest(connection: Connection, query: Any, latest: int) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query.limit(min(latest, HISTORY_MAX))).mappings()]


def _with_balances(tenant: str) -> Any:
    same = (members.c.tenant == balances.c.tenant) & (members.c.member_id == balances.c.member_id)
    query = select(members, balances.c.available, balances.c.pending, balances.c.owed)
    return query.join_from(members, balances, same, isouter=True).where(members.c.tenant == tenant)


def _described(
    connection: Connection, capabilities: Capabilities, tenant: str, found: Sequence[Row[Any]]
) -> list[dict[str, Any]]:
    ids = [row.member_id for row in found]
    keys = member_keys_of(connection, capabilities, tenant, ids)
    query = select(aliases.c.member_id, aliases.c.digest, aliases.c.sealed).where(aliases.c.tenant == tenant)
    if len(ids) == 1:
        query = query.where(aliases.c.member_id == ids[0])
    named: dict[str, list[str]] = {}
    for row in connection.execute(query.order_by(aliases.c.digest)):
        if (key := keys.get(row.member_id)) is not None:
            alias = key.open(ALIAS_PURPOSE + row.digest, row.sealed).decode()
            named.setdefault(row.member_id, []).append(alias)
    reserved = _reserved(connection, tenant, ids)
    return [
        {
            "member_id": row.member_id,
            "name": member_name(row.name_sealed, keys.get(row.member_id)),
            "aliases": sorted(named.get(row.member_id, [])),
            "tier": row.tier,
            "available": row.available or 0,
            "pending": row.pending or 0,
            "reserved": reserved.get(row.member_id, 0),
            "owed": row.owed or 0,
            "revision": row.revision,
            "created_at": row.created_at,
        }
        for row in found
    ]


def _member_values(capabilities: Capabilities, tenant: str, one: Registration) -> tuple[dict[str, Any], Any, bytes]:
    member_id = capabilities.new_random_id()
    key, wrapped = new_member_key(capabilities, tenant, member_id)
    name = one.name.strip()
    values = {
        "tenant": tenant,
        "member_id": member_id,
        "name_sealed": key.seal(capabilities, NAME_PURPOSE, name.encode()) if name else None,
        "created_at": capabilities.now(),
    }
    return values, key, wrapped


def _key_values(member: dict[str, Any], wrapped: bytes) -> dict[str, Any]:
    return {"tenant": member["tenant"], "member_id": member["member_id"], "wrapped": wrapped}


def _digest(capabilities: Capabilities, tenant: str, alias: str) -> str:
    if not 0 < len(alias.strip()) <= ALIAS_LENGTH_MAX or not alias.strip().isprintable():
        raise refuse("invalid-request", f"an alias has 1 to {ALIAS_LENGTH_MAX} printable characters, not {alias!r}")
    return capabilities.keys.alias_digest(tenant, alias)


def _check_free(
    connection: Connection, tenant: str, registrations: Sequence[Registration], digests: Sequence[Sequence[str]]
) -> None:
    if any(not one.aliases for one in registrations):
        raise refuse("invalid-request", "a member has at least one alias: a card number, a token, a phone number")
    if any(len(one.name) > NAME_LENGTH_MAX or not one.name.isprintable() for one in registrations):
        raise refuse("invalid-request", f"a name has at most {NAME_LENGTH_MAX} printable characters")
    alias_of = {}
    for one, found in zip(registrations, digests, strict=True):
        for alias, digest in zip(one.aliases, found, strict=True):
            if digest in alias_of:
                raise refuse("conflict", f"the alias {alias} is named twice; every alias belongs to one member")
            alias_of[digest] = alias
    query = select(aliases.c.digest).where(aliases.c.tenant == tenant, aliases.c.digest.in_(list(alias_of)))
    taken = connection.execute(query).scalars().first()
    if taken is not None:
        raise refuse("conflict", f"the alias {alias_of[taken]} belongs to a member already")


def _reserved(connection: Connection, tenant: str, member_ids: Sequence[str]) -> dict[str, int]:
    query = (
        select(reservations.c.member_id, total(reservations.c.points).label("points"))
        .where(reservations.c.tenant == tenant)
        .group_by(reservations.c.member_id)
    )
    if len(member_ids) == 1:
        query = query.where(reservations.c.member_id == member_ids[0])
    return {row.member_id: row.points for row in connection.execute(query)}
