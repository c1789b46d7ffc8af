"""The programme's versions: checked, signed, kept for ever. The one in force is the one with the highest version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from central_api.capabilities import Capabilities
from central_api.problems import refuse
from central_api.schema import programmes, tenants
from central_api.statements import among, given, insert_rows
from loyalty_sdk.programme import Programme, parse_programme
from loyalty_sdk.protocol import SignedDocument

__all__ = [
    "activate_programme",
    "programme_in_force",
    "programmes_loaded",
    "signed_programme",
    "version_in_force",
]

PARSED_MAX = 32

_ALL: Select[Any] = select(
    programmes.c.version, programmes.c.document, programmes.c.key_id, programmes.c.signature
).where(given(programmes.c.tenant))
_NEWEST = _ALL.order_by(programmes.c.version.desc()).limit(1)
_NEWEST_VERSION = select(func.max(programmes.c.version)).where(given(programmes.c.tenant))
_ONE = _ALL.where(given(programmes.c.version))
_VERSIONS = _ALL.where(among(programmes.c.version))


def activate_programme(connection: Connection, capabilities: Capabilities, tenant: str, document: str) -> Programme:
    """Check, sign and publish a document. Raises CodecError, or Refused `conflict` for a version that does not grow."""
    programme = parse_programme(document)
    connection.execute(select(tenants.c.tenant).where(tenants.c.tenant == tenant).with_for_update(key_share=True))
    current = programme_in_force(connection, tenant)
    if current is not None and programme.version <= current.version:
        raise refuse(
            "conflict",
            f"version {current.version} is in force; set version to {current.version + 1} or more in the document",
        )
    signed = capabilities.keys.sign("programme", document)
    insert_rows(
        connection,
        programmes,
        [
            {
                "tenant": tenant,
                "version": programme.version,
                "document": signed.document,
                "key_id": signed.key_id,
                "signature": signed.signature,
                "activated_at": capabilities.now(),
            }
        ],
    )
    return programme


def programme_in_force(connection: Connection, tenant: str) -> Programme | None:
    """Return the programme in force, None where none was activated."""
    row = _row(connection, tenant, None)
    return None if row is None else _parsed(row.document)


def programmes_loaded(connection: Connection, tenant: str, versions: Sequence[int]) -> Mapping[int, Programme]:
    """Return the versions asked for that exist."""
    found = connection.execute(_VERSIONS, {"tenant": tenant, "version": versions})
    return {row.version: _parsed(row.document) for row in found}


def version_in_force(connection: Connection, tenant: str) -> int | None:
    """Return the number of the version in force."""
    version: int | None = connection.execute(_NEWEST_VERSION, {"tenant": tenant}).scalar()
    return version


def signed_programme(connection: Connection, tenant: str, version: int | None = None) -> SignedDocument:
    """Return a version as it travels, the one in force for None. Raises Refused `not-found`."""
    row = _row(connection, tenant, version)
    if row is None:
        which = "no programme is in force" if version is None else f"there is no programme version {version}"
        raise refuse("not-found", f"{which}; activate one with: loyalty-central programme activate FILE")
    return SignedDocument(document=row.document, key_id=row.key_id, signature=row.signature)


def _row(connection: Connection, tenant: str, version: int | None) -> Row[Any] | None:
    if version is None:
        return connection.execute(_NEWEST, {"tenant": tenant}).first()
    return connection.execute(_ONE, {"tenant": tenant, "version": version}).first()


@lru_cache(PARSED_MAX)
def _parsed(document: str) -> Programme:
    """A document that was read before is not read again: nearly every sale asks for the one in force."""
    return parse_programme(document)
