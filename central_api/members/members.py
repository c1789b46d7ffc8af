"""Members: registered, changed, found by alias. Names and aliases are sealed under the member's own key."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from central_api.capabilities import Capabilities
from central_api.judging.sitting import Sitting
from central_api.ledger import feed
from central_api.ledger.awaited import waits_for_alias
from central_api.ledger.records import Place
from central_api.members.snapshots import NAME_PURPOSE
from central_api.members.views import ALIAS_PURPOSE
from central_api.problems import refuse
from central_api.storage.locks import lock_members
from central_api.storage.personal import MemberKey, member_keys_of, new_member_key
from central_api.storage.schema import aliases, interest, member_keys, members
from central_api.storage.schema_office import merges
from central_api.storage.statements import given, insert_missing, insert_rows, select_value
from central_api.terminals.terminals import Terminal

__all__ = [
    "ALIAS_LENGTH_MAX",
    "Registration",
    "add_alias",
    "aliases_taken",
    "change_member",
    "find_member",
    "member_of_alias",
    "note_interest",
    "register_members",
    "remove_alias",
]

ALIAS_LENGTH_MAX = 256
NAME_LENGTH_MAX = 200
TIER_LENGTH_MAX = 64
ALIAS_KIND = "code"

_MEMBER_OF_ALIAS = select(aliases.c.member_id).where(given(aliases.c.tenant, aliases.c.digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One member to be: aliases (card number, token, phone, …) and, perhaps, a name and a tier."""

    aliases: tuple[str, ...]
    name: str = ""
    tier: str = ""


def register_members(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    registrations: Sequence[Registration],
    set_aside: Set[Place] = frozenset(),
) -> list[str]:
    """Register members and judge again the entries that waited for their aliases. Returns their ids in order.

    Raises Refused: `invalid-request` for an alias, name or tier that cannot be used, `conflict` for an alias that is
    taken. Raises JudgingFailed: the caller comes again with that entry `set_aside`.
    """
    digests = [[_digest(capabilities, tenant, alias) for alias in one.aliases] for one in registrations]
    _check_free(connection, tenant, registrations, digests)
    made = [_member_values(capabilities, tenant, one) for one in registrations]
    insert_rows(connection, members, [values for values, _, _ in made])
    insert_rows(connection, member_keys, [_key_values(values, wrapped) for values, _, wrapped in made])
    rows = [
        _alias_values(capabilities, values, key, alias, digest)
        for one, found, (values, key, _) in zip(registrations, digests, made, strict=True)
        for alias, digest in zip(one.aliases, found, strict=True)
    ]
    _bring_aliases(connection, capabilities, tenant, rows, set_aside)
    return [values["member_id"] for values, _, _ in made]


def change_member(
    connection: Connection, capabilities: Capabilities, tenant: str, member_id: str, name: str | None, tier: str | None
) -> None:
    """Set a member's name or tier and tell its terminals; None leaves what is there.

    Raises Refused: `invalid-request`, or `conflict` for a member that was merged or erased.
    """
    key = _key_of_changeable(connection, capabilities, tenant, member_id)
    values: dict[str, Any] = {}
    if name is not None:
        _check_name(name)
        values["name_sealed"] = _sealed_name(capabilities, key, name)
    if tier is not None:
        _check_tier(tier)
        values["tier"] = tier
    if values:
        this_member = (members.c.tenant == tenant) & (members.c.member_id == member_id)
        connection.execute(update(members).where(this_member).values(values))
        feed.members_changed(connection, tenant, [member_id], capabilities.now())


def add_alias(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    member_id: str,
    alias: str,
    set_aside: Set[Place] = frozenset(),
) -> None:
    """Give a member one more alias, and judge again what waited for it. One that it has already stays.

    Raises Refused: `not-found`, `invalid-request`, or `conflict` for an alias that another member has, or a member that
    was merged or erased. Raises JudgingFailed as `register_members` does.
    """
    key = _key_of_changeable(connection, capabilities, tenant, member_id)
    digest = _digest(capabilities, tenant, alias)
    owner = connection.execute(_MEMBER_OF_ALIAS, {"tenant": tenant, "digest": digest}).scalar_one_or_none()
    if owner == member_id:
        return
    if owner is not None:
        raise refuse("conflict", "this alias belongs to another member; remove it there, or merge the two")
    member = {"tenant": tenant, "member_id": member_id}
    row = _alias_values(capabilities, member, key, alias, digest)
    _bring_aliases(connection, capabilities, tenant, [row], set_aside)


def remove_alias(
    connection: Connection, capabilities: Capabilities, tenant: str, member_id: str, alias_id: str
) -> None:
    """Take an alias from a member; `alias_id` is its digest. Terminals that asked for it before may know it still.

    Raises Refused: `not-found`, or `conflict` for the last alias, or a member that was merged or erased.
    """
    _key_of_changeable(connection, capabilities, tenant, member_id)
    of_member = (aliases.c.tenant == tenant) & (aliases.c.member_id == member_id)
    found = set(connection.execute(select(aliases.c.digest).where(of_member)).scalars())
    if alias_id not in found:
        raise refuse("not-found", "the member has no such alias; its aliases are in GET /v1/members/{member_id}")
    if len(found) == 1:
        raise refuse("conflict", "a member keeps at least one alias; add the new one first")
    connection.execute(delete(aliases).where(of_member, aliases.c.digest == alias_id))


def member_of_alias(connection: Connection, capabilities: Capabilities, tenant: str, alias: str) -> str | None:
    """Return the member of an alias, None where nobody has it."""
    digest = capabilities.keys.alias_digest(tenant, alias)
    member_id: str | None = select_value(connection, _MEMBER_OF_ALIAS, {"tenant": tenant, "digest": digest})
    return member_id


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


def _bring_aliases(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    rows: Sequence[dict[str, Any]],
    set_aside: Set[Place],
) -> None:
    """Insert aliases, and judge again the entries that waited for them."""
    insert_rows(connection, aliases, rows)
    sitting = Sitting(connection, capabilities, tenant, set_aside)
    sitting.judge_waiting(waits_for_alias(row["digest"]) for row in rows)
    sitting.write()


def _key_of_changeable(connection: Connection, capabilities: Capabilities, tenant: str, member_id: str) -> MemberKey:
    """Lock a member and return its key. Raises Refused where there is nothing to change."""
    lock_members(connection, tenant, [member_id])
    this_member = (members.c.tenant == tenant) & (members.c.member_id == member_id)
    if connection.execute(select(members.c.member_id).where(this_member)).first() is None:
        raise refuse("not-found", "there is no such member; search for it by an alias")
    merged = select(merges.c.into_member_id).where(merges.c.tenant == tenant, merges.c.member_id == member_id)
    target = connection.execute(merged).scalar_one_or_none()
    if target is not None:
        raise refuse("conflict", f"this member was merged into {target}; change that one", merged_into=target)
    key = member_keys_of(connection, capabilities, tenant, [member_id]).get(member_id)
    if key is None:
        raise refuse("conflict", "this member was erased; register a new one")
    return key


def _member_values(
    capabilities: Capabilities, tenant: str, one: Registration
) -> tuple[dict[str, Any], MemberKey, bytes]:
    member_id = capabilities.new_random_id()
    key, wrapped = new_member_key(capabilities, tenant, member_id)
    values = {
        "tenant": tenant,
        "member_id": member_id,
        "name_sealed": _sealed_name(capabilities, key, one.name),
        "tier": one.tier,
        "created_at": capabilities.now(),
    }
    return values, key, wrapped


def _sealed_name(capabilities: Capabilities, key: MemberKey, name: str) -> bytes | None:
    return key.seal(capabilities, NAME_PURPOSE, name.strip().encode()) if name.strip() else None


def _key_values(member: dict[str, Any], wrapped: bytes) -> dict[str, Any]:
    return {"tenant": member["tenant"], "member_id": member["member_id"], "wrapped": wrapped}


def _alias_values(
    capabilities: Capabilities, member: dict[str, Any], key: MemberKey, alias: str, digest: str
) -> dict[str, Any]:
    return {
        "tenant": member["tenant"],
        "digest": digest,
        "sealed": key.seal(capabilities, ALIAS_PURPOSE + digest, alias.strip().encode()),
        "kind": ALIAS_KIND,
        "member_id": member["member_id"],
    }


def _digest(capabilities: Capabilities, tenant: str, alias: str) -> str:
    if not 0 < len(alias.strip()) <= ALIAS_LENGTH_MAX or not alias.strip().isprintable():
        raise refuse("invalid-request", f"an alias has 1 to {ALIAS_LENGTH_MAX} printable characters, not {alias!r}")
    return capabilities.keys.alias_digest(tenant, alias)


def _check_name(name: str) -> None:
    if len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise refuse("invalid-request", f"a name has at most {NAME_LENGTH_MAX} printable characters")


def _check_tier(tier: str) -> None:
    if len(tier) > TIER_LENGTH_MAX or not tier.isprintable() or tier.strip() != tier:
        raise refuse("invalid-request", f"a tier has at most {TIER_LENGTH_MAX} printable characters")


def _check_free(
    connection: Connection, tenant: str, registrations: Sequence[Registration], digests: Sequence[Sequence[str]]
) -> None:
    for one in registrations:
        if not one.aliases:
            raise refuse("invalid-request", "a member has at least one alias: a card number, a token, a phone number")
        _check_name(one.name)
        _check_tier(one.tier)
    alias_of: dict[str, str] = {}
    for one, found in zip(registrations, digests, strict=True):
        for alias, digest in zip(one.aliases, found, strict=True):
            if digest in alias_of:
                raise refuse("conflict", f"the alias {alias} is named twice; every alias belongs to one member")
            alias_of[digest] = alias
    query = select(aliases.c.digest).where(aliases.c.tenant == tenant, aliases.c.digest.in_(list(alias_of)))
    taken = connection.execute(query).scalars().first()
    if taken is not None:
        raise refuse("conflict", f"the alias {alias_of[taken]} belongs to a member already")
