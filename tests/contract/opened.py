"""A furnished central behind its API, and how a shop calls it by the name that the OpenAPI document has for a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, select

from central_api.api.application import create_app
from central_api.bootstrap import open_central
from central_api.storage.database import Database
from central_api.storage.schema_office import metadata
from tests.contract.shops import Shop, Site, document, furnished

__all__ = ["DOCUMENT", "Opened", "Rows", "Sent", "described", "names_in", "opened", "paths"]

DOCUMENT = document()

Rows = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request without its credentials; without a path, that of the call."""

    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def holds(self, text: str) -> bool:
        """Whether the request itself names it, so that an answer may name it again."""
        return text in f"{self.path}{dict(self.query)}{dict(self.headers)}{(self.body or b'').decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A central with two shops."""

    site: Site
    database: Database
    client: httpx.AsyncClient

    async def send(self, call: str, shop: Shop, sent: Sent) -> httpx.Response:
        """Make a call as a shop: as its terminal, or with the key that may do most."""
        method, template = call.split()
        media = {} if sent.body is None else {"Content-Type": "application/json"}
        return await self.client.request(
            method,
            sent.path or template,
            params=dict(sent.query),
            content=sent.body,
            headers={**media, **_credential(call, shop), **sent.headers},
        )

    async def rows(self, shop: Shop) -> Rows:
        """Return every row of a tenant as text, by table."""
        return await self.database.read(lambda connection: _rows(connection, shop.tenant))


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Opened]:
    """Furnish a central and open it."""
    site = await furnished(url, folder / "keys.json")
    central = await open_central(url, site.key_file)
    app = create_app(database=central.database, capabilities=central.capabilities, version="test")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
        yield Opened(site=site, database=central.database, client=client)
    await central.database.close()


def described(call: str) -> Mapping[str, Any]:
    """Return what the document says of a call."""
    method, path = call.split()
    found: Mapping[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def names_in(call: str, place: str) -> Sequence[str]:
    """Return the names of a call's parameters in its path, query or header."""
    return [one["name"] for one in described(call).get("parameters", ()) if one["in"] == place]


def paths(call: str, whose: Shop) -> list[str]:
    """Return the call's path with every name that a shop has for its parameters."""
    template, names = call.split()[1], names_in(call, "path")
    values = product(*(whose.names[name] for name in names))
    return [template.format(**dict(zip(names, found, strict=True))) for found in values]


def _credential(call: str, shop: Shop) -> Mapping[str, str]:
    schemes = {name for scheme in described(call).get("security", ()) for name in scheme}
    if not schemes:
        return {}
    return {"Authorization": f"Bearer {shop.token if 'token' in schemes else shop.keys['administrator']}"}


def _rows(connection: Connection, tenant: str) -> Rows:
    tables = [table for table in metadata.sorted_tables if "tenant" in table.c]
    return {
        table.name: sorted(str(tuple(row)) for row in connection.execute(select(table).where(table.c.tenant == tenant)))
        for table in tables
    }
