"""The back office's calls about members and their points, as data: from arguments to a path and a body. No I/O.

Every call becomes a method of `Central` and of `AsyncCentral` by its own name, arguments and text. A write takes an
`idempotency_key` and makes one where none is given: repeated under it within 24 hours, it happens once.
"""

from __future__ import annotations

from collections.abc import Sequence

from loyalty_sdk._central_calls import Pages, ask, listed, write
from loyalty_sdk._checked import checked
from loyalty_sdk._flow import Call
from loyalty_sdk.errors import InvalidRequest
from loyalty_sdk.office import (
    LIMIT_DEFAULT,
    Adjustment,
    AliasAddition,
    AliasView,
    DecisionList,
    DecisionView,
    EntryList,
    EntryView,
    GrantList,
    GrantView,
    LotList,
    LotView,
    MemberList,
    MemberPatch,
    MemberRequest,
    MemberSearch,
    MemberView,
    Merge,
    TransferList,
    TransferView,
    WriteOff,
)

__all__ = [
    "add_alias",
    "adjust",
    "create_member",
    "decisions",
    "lots",
    "member",
    "member_entries",
    "member_grants",
    "member_id_of",
    "members",
    "merge_members",
    "remove_alias",
    "search_members",
    "transfers",
    "update_member",
    "write_off",
]


@checked
def members(*, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[MemberView, MemberList]:
    """List the members, in the order of their ids."""
    return listed(ask("members", MemberList, query={"limit": limit, "cursor": cursor}), lambda page: page.items)


@checked
def search_members(alias: str) -> Call[MemberList]:
    """Return the member whom a card number, token or phone number belongs to, in a list of one or none."""
    return ask("search_members", MemberList, body=MemberSearch(alias=alias))


@checked
def member(member: MemberView | str, *, known: MemberView | None = None) -> Call[MemberView]:
    """Return a member by id; `known`, an earlier answer, comes back where nothing has changed. Raises NotFound."""
    member_id = member_id_of(member)
    if known is not None and known.member_id != member_id:
        raise InvalidRequest(f"known is the member {known.member_id}, not {member_id}; leave it out")
    path = {"member_id": member_id}
    return ask("member", MemberView, path=path, known=known, known_etag=known.etag if known else "")


@checked
def create_member(
    aliases: Sequence[str], *, name: str = "", tier: str = "", idempotency_key: str | None = None
) -> Call[MemberView]:
    """Register a member with at least one alias. Raises Conflict for an alias that another member has."""
    if isinstance(aliases, str):
        raise InvalidRequest(f"aliases is a list of texts; write [{aliases!r}]")
    request = MemberRequest(aliases=tuple(aliases), name=name, tier=tier)
    return write("create_member", MemberView, request, idempotency_key)


@checked
def update_member(
    member: MemberView, *, name: str | None = None, tier: str | None = None, idempotency_key: str | None = None
) -> Call[MemberView]:
    """Change name or tier of a member as it was read; None leaves a field, an empty text removes it.

    Raises PreconditionFailed where somebody else changed the member since: read it again, and decide anew.
    """
    if not isinstance(member, MemberView):
        raise InvalidRequest("a change is to what was read; give what central.member(member_id) returns")
    body, path = MemberPatch(name=name, tier=tier), {"member_id": member.member_id}
    return write("update_member", MemberView, body, idempotency_key, path=path, etag=member.etag)


@checked
def add_alias(member: MemberView | str, alias: str, *, idempotency_key: str | None = None) -> Call[MemberView]:
    """Give a member one more alias. Raises Conflict for an alias that another member has."""
    return _of_member("add_alias", member, AliasAddition(alias=alias), idempotency_key)


@checked
def remove_alias(
    member: MemberView | str, alias: AliasView | str, *, idempotency_key: str | None = None
) -> Call[MemberView]:
    """Take an alias from a member: one of `member.aliases`, or its `alias_id`."""
    alias_id = alias.alias_id if isinstance(alias, AliasView) else alias
    path = {"member_id": member_id_of(member), "alias_id": alias_id}
    return write("remove_alias", MemberView, None, idempotency_key, path=path)


@checked
def adjust(
    member: MemberView | str, points: int, reason: str, *, idempotency_key: str | None = None
) -> Call[MemberView]:
    """Give a member points (above 0) or take them (below 0), for a reason. Raises InsufficientPoints."""
    return _of_member("adjust", member, Adjustment(points=points, reason=reason), idempotency_key)


@checked
def write_off(
    member: MemberView | str, points: int, reason: str, *, idempotency_key: str | None = None
) -> Call[MemberView]:
    """Let the programme bear points that a member owes. Raises Conflict for more than is owed."""
    return _of_member("write_off", member, WriteOff(points=points, reason=reason), idempotency_key)


@checked
def merge_members(
    member: MemberView | str, source: MemberView | str, reason: str, *, idempotency_key: str | None = None
) -> Call[MemberView]:
    """Let all that belongs to `source` be the member's from now on. Raises Conflict."""
    merge = Merge(source_member_id=member_id_of(source), reason=reason)
    return _of_member("merge_members", member, merge, idempotency_key)


# The ledger of one member


@checked
def transfers(
    member: MemberView | str, *, limit: int = LIMIT_DEFAULT, cursor: str = ""
) -> Pages[TransferView, TransferList]:
    """List every movement of a member's points between accounts, in the order of their effect."""
    path, query = {"member_id": member_id_of(member)}, {"limit": limit, "cursor": cursor}
    return listed(ask("transfers", TransferList, path=path, query=query), lambda page: page.items)


@checked
def member_entries(
    member: MemberView | str, *, limit: int = LIMIT_DEFAULT, cursor: str = ""
) -> Pages[EntryView, EntryList]:
    """List the journal entries of a member with their outcomes, in the order of their effect."""
    path, query = {"member_id": member_id_of(member)}, {"limit": limit, "cursor": cursor}
    return listed(ask("member_entries", EntryList, path=path, query=query), lambda page: page.items)


@checked
def decisions(
    member: MemberView | str, *, limit: int = LIMIT_DEFAULT, cursor: str = ""
) -> Pages[DecisionView, DecisionList]:
    """List what people decided about a member's points: how many, when, why and who."""
    path, query = {"member_id": member_id_of(member)}, {"limit": limit, "cursor": cursor}
    return listed(ask("decisions", DecisionList, path=path, query=query), lambda page: page.items)


@checked
def lots(member: MemberView | str, *, limit: int = LIMIT_DEFAULT, cursor: str = "") -> Pages[LotView, LotList]:
    """List what each earning of a member gave and what is left of it, with the dates of its expiry."""
    path, query = {"member_id": member_id_of(member)}, {"limit": limit, "cursor": cursor}
    return listed(ask("lots", LotList, path=path, query=query), lambda page: page.items)


@checked
def member_grants(
    member: MemberView | str, *, limit: int = LIMIT_DEFAULT, cursor: str = ""
) -> Pages[GrantView, GrantList]:
    """List the points of a member that are, or were, set aside at terminals."""
    path, query = {"member_id": member_id_of(member)}, {"limit": limit, "cursor": cursor}
    return listed(ask("member_grants", GrantList, path=path, query=query), lambda page: page.items)


def member_id_of(member: MemberView | str) -> str:
    """Return the id of a member that is given as what was read, or as its id."""
    return member.member_id if isinstance(member, MemberView) else member


def _of_member(name: str, member: MemberView | str, body: object, idempotency_key: str | None) -> Call[MemberView]:
    return write(name, MemberView, body, idempotency_key, path={"member_id": member_id_of(member)})
