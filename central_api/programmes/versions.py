"""The programme's versions: checked, signed, kept for ever, and in force from their date on.

In force is the highest version whose date has come. A version may be withdrawn until then; its document is kept, and
its number is used up. Terminals get a version when it is in force, not before: see docs/programme.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, func, select, update

from central_api.capabilities import Capabilities
from central_api.problems import Refused, refuse
from central_api.storage.columns import Instant
from central_api.storage.schema import programmes, tenants
from central_api.storage.schema_office import activations
from central_api.storage.statements import among, given, insert_rows, select_row, select_rows, select_value
from loyalty_sdk.office import ProgrammeState, ProgrammeView
from loyalty_sdk.programme import Programme, parse_programme
from loyalty_sdk.protocol import SignedDocument

__all__ = [
    "activate_programme",
    "kept_programme",
    "programme_in_force",
    "programme_versions",
    "programmes_loaded",
    "signed_programme",
    "version_in_force",
    "withdraw_programme",
]

PARSED_MAX = 32
VERSIONS_MAX = 1_000
# What is in force by one server's clock is not refused by another's that is behind.
CLOCKS_APART_MAX = timedelta(minutes=5)

_WAITING = exists().where(
    activations.c.tenant == programmes.c.tenant,
    activations.c.version == programmes.c.version,
    (activations.c.in_force_at > bindparam("now", type_=Instant)) | activations.c.withdrawn_at.is_not(None),
)
_KEPT: Select[Any] = select(
    programmes.c.version, programmes.c.document, programmes.c.key_id, programmes.c.signature
).where(given(programmes.c.tenant))
_COME = _KEPT.where(~_WAITING)
_IN_FORCE = _COME.order_by(programmes.c.version.desc()).limit(1)
_VERSION_IN_FORCE = (
    select(programmes.c.version)
    .where(given(programmes.c.tenant), ~_WAITING)
    .order_by(programmes.c.version.desc())
    .limit(1)
)
_ONE_COME = _COME.where(given(programmes.c.version))
_ONE_KEPT = _KEPT.where(given(programmes.c.version))
_VERSIONS_COME = _COME.where(among(programmes.c.version))
_HIGHEST = select(func.max(programmes.c.version)).where(given(programmes.c.tenant))
_LAST_DATE = (
    select(activations.c.version, activations.c.in_force_at)
    .where(given(activations.c.tenant), activations.c.withdrawn_at.is_(None))
    .order_by(activations.c.in_force_at.desc())
    .limit(1)
)
_DATED = (
    select(
        programmes.c.version,
        programmes.c.document,
        programmes.c.activated_at,
        func.coalesce(activations.c.in_force_at, programmes.c.activated_at, type_=Instant).label("in_force_at"),
        activations.c.withdrawn_at,
    )
    .join_from(
        programmes,
        activations,
        (activations.c.tenant == programmes.c.tenant) & (activations.c.version == programmes.c.version),
        isouter=True,
    )
    .where(given(programmes.c.tenant))
)
_PAGE = _DATED.where(programmes.c.version < bindparam("before")).order_by(programmes.c.version.desc())
_ONE_DATED = _DATED.where(given(programmes.c.version))


def activate_programme(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    document: str,
    in_force_at: datetime | None = None,
) -> Programme:
    """Check, sign and keep a document, in force from `in_force_at` on, by default at once.

    Raises CodecError, or Refused: `conflict` for a version that does not grow or would come before a lower one,
    `invalid-request` for a date that has passed.
    """
    programme = parse_programme(document)
    now = capabilities.now()
    begins_at = _to_ms(in_force_at or now)
    if in_force_at is not None and begins_at < _to_ms(now):
        raise refuse("invalid-request", f"{in_force_at.isoformat()} has passed; give a later date, or none for at once")
    _lock(connection, tenant)
    _check_order(connection, tenant, programme.version, begins_at)
    _keep(connection, capabilities, tenant, programme.version, document)
    if begins_at > now:
        row = {"tenant": tenant, "version": programme.version, "in_force_at": begins_at}
        insert_rows(connection, activations, [row])
    return programme


def withdraw_programme(connection: Connection, capabilities: Capabilities, tenant: str, version: int) -> None:
    """Let a version never come into force; again changes nothing. Raises Refused `not-found`, `conflict`."""
    _lock(connection, tenant)
    row = connection.execute(_ONE_DATED, {"tenant": tenant, "version": version}).first()
    if row is None:
        raise _unknown(version)
    if row.withdrawn_at is not None:
        return
    now = capabilities.now()
    if row.in_force_at <= now:
        raise refuse(
            "conflict",
            f"version {version} came into force at {row.in_force_at.isoformat()}; activate another version after it",
        )
    mine = (activations.c.tenant == tenant) & (activations.c.version == version)
    connection.execute(update(activations).where(mine).values(withdrawn_at=now))


def programme_in_force(connection: Connection, tenant: str, now: datetime) -> Programme | None:
    """Return the programme in force, None where there is none yet."""
    row = select_row(connection, _IN_FORCE, {"tenant": tenant, "now": now})
    return None if row is None else _parsed(row.document)


def version_in_force(connection: Connection, tenant: str, now: datetime) -> int | None:
    """Return the number of the version in force."""
    version: int | None = select_value(connection, _VERSION_IN_FORCE, {"tenant": tenant, "now": now})
    return version


def programmes_loaded(
    connection: Connection, tenant: str, versions: Sequence[int], now: datetime
) -> Mapping[int, Programme]:
    """Return those of the versions asked for that are or were in force: no entry can be of another."""
    values = {"tenant": tenant, "version": versions, "now": now + CLOCKS_APART_MAX}
    return {row.version: _parsed(row.document) for row in select_rows(connection, _VERSIONS_COME, values)}


def signed_programme(connection: Connection, tenant: str, now: datetime, version: int | None = None) -> SignedDocument:
    """Return a version that is or was in force as terminals get it, None for today's. Raises Refused `not-found`."""
    if version is None:
        row = select_row(connection, _IN_FORCE, {"tenant": tenant, "now": now})
    else:
        values = {"tenant": tenant, "version": version, "now": now + CLOCKS_APART_MAX}
        row = select_row(connection, _ONE_COME, values)
    return _signed(row, version)


def kept_programme(connection: Connection, tenant: str, version: int) -> SignedDocument:
    """Return any version that was ever activated. Raises Refused `not-found`."""
    return _signed(connection.execute(_ONE_KEPT, {"tenant": tenant, "version": version}).first(), version)


def programme_versions(
    connection: Connection, tenant: str, now: datetime, *, before: int | None = None, limit: int = VERSIONS_MAX
) -> list[ProgrammeView]:
    """Return the versions below `before`, by default from the highest on, at most `limit` of them."""
    before = (connection.execute(_HIGHEST, {"tenant": tenant}).scalar() or 0) + 1 if before is None else before
    in_force = version_in_force(connection, tenant, now)
    found = connection.execute(_PAGE.limit(min(limit, VERSIONS_MAX)), {"tenant": tenant, "before": before})
    return [_view(row, now, in_force) for row in found]


def _check_order(connection: Connection, tenant: str, version: int, begins_at: datetime) -> None:
    """Versions come into force in their order: a lower one after a higher one would never be in force."""
    highest = connection.execute(_HIGHEST, {"tenant": tenant}).scalar()
    if highest is not None and version <= highest:
        raise refuse(
            "conflict", f"version {highest} is there already; set version to {highest + 1} or more in the document"
        )
    last = connection.execute(_LAST_DATE, {"tenant": tenant}).first()
    if last is not None and last.in_force_at >= begins_at:
        raise refuse(
            "conflict",
            f"version {last.version} comes into force at {last.in_force_at.isoformat()}, which has to be earlier: "
            f"give a later date, or withdraw it first: loyalty-central programme withdraw {last.version}",
        )


def _keep(connection: Connection, capabilities: Capabilities, tenant: str, version: int, document: str) -> None:
    signed = capabilities.keys.sign("programme", document)
    row = {
        "tenant": tenant,
        "version": version,
        "document": signed.document,
        "key_id": signed.key_id,
        "signature": signed.signature,
        "activated_at": capabilities.now(),
    }
    insert_rows(connection, programmes, [row])


def _lock(connection: Connection, tenant: str) -> None:
    """One at a time activates or withdraws."""
    connection.execute(select(tenants.c.tenant).where(tenants.c.tenant == tenant).with_for_update(key_share=True))


def _to_ms(instant: datetime) -> datetime:
    """What the database keeps of an instant. Raises Refused for one without its offset."""
    if instant.tzinfo is None:
        raise refuse("invalid-request", "a date needs its offset; write it as 2027-01-01T00:00:00+00:00")
    return instant.replace(microsecond=instant.microsecond // 1_000 * 1_000)


def _signed(row: Row[Any] | None, version: int | None) -> SignedDocument:
    if row is None:
        raise _unknown(version)
    return SignedDocument(document=row.document, key_id=row.key_id, signature=row.signature)


def _unknown(version: int | None) -> Refused:
    which = "no programme is in force" if version is None else f"there is no programme version {version}"
    return refuse("not-found", f"{which}; activate one with: loyalty-central programme activate FILE")


def _view(row: Any, now: datetime, in_force: int | None) -> ProgrammeView:
    return ProgrammeView(
        version=row.version,
        name=_parsed(row.document).name,
        state=_state(row, now, in_force),
        activated_at=row.activated_at,
        in_force_at=row.in_force_at,
        withdrawn_at=row.withdrawn_at,
    )


def _state(row: Any, now: datetime, in_force: int | None) -> ProgrammeState:
    if row.withdrawn_at is not None:
        return "withdrawn"
    if row.version == in_force:
        return "in_force"
    return "scheduled" if row.in_force_at > now else "superseded"


@lru_cache(PARSED_MAX)
def _parsed(document: str) -> Programme:
    """A document that was read before is not read again: nearly every sale asks for the one in force."""
    return parse_programme(document)
