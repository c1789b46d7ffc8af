"""The programme's versions: checked, signed, kept for ever. The one in force is the one with the highest version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.capabilities import Capabilities
from central_api.problems import refuse
from central_api.schema import programmes, tenants
from central_api.statements import insert_rows
from loyalty_sdk.programme import Programme, parse_programme
from loyalty_sdk.protocol import SignedDocument

__all__ = [
    "activate_programme",
    "programme_in_force",
    "programmes_loaded",
    "signed_programme",
    "version_in_force",
]


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
    return None if row is None else parse_programme(row.document)


def programmes_loaded(connection: Connection, tenant: str, versions: Sequence[int]) -> Mapping[int, Programme]:
    """Return the versions asked for that exist."""
    query = select(programmes.c.version, programmes.c.document).where(
        programmes.c.tenant == tenant, programmes.c.version.in_(versions)
    )
    return {row.version: parse_programme(row.document) for row in connection.execute(query)}


def version_in_force(connection: Connection, tenant: str) -> int | None:
    """Return the number of the version in force."""
    row = _row(connection, tenant, None)
    return None if row is None else int(row.version)


def signed_programme(connection: Connection, tenant: str, version: int | None = None) -> SignedDocument:
    """Return a version as it travels, the one in force for None. Raises Refused `not-found`."""
    row = _row(connection, tenant, version)
    if row is None:
        which = "no programme is in force" if version is None else f"there is no programme version {version}"
        raise refuse("not-found", f"{which}; activate one with: loyalty-central programme activate FILE")
    return SignedDocument(document=row.document, key_id=row.key_id, signature=row.signature)


def _row(connection: Connection, tenant: str, version: int | None) -> Row[Any] | None:
    query = select(programmes).where(programmes.c.tenant == tenant)
    if version is not None:
        query = query.where(programmes.c.version == version)
    return connection.execute(query.order_by(programmes.c.version.desc()).limit(1)).first()
