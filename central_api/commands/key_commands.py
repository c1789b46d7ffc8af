"""The commands `loyalty-central key`: make, list, rotate and revoke API keys. A secret is told once."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.commands.audit_commands import act
from central_api.commands.output import print_json, print_table
from central_api.office import api_keys
from central_api.storage.audit import Act
from central_api.storage.paging import Paging
from loyalty_sdk.office import LIMIT_MAX, KeyRequest, KeyRotation, KeySecret, KeyView

__all__ = ["key_add", "key_list", "key_revoke", "key_rotate"]

COLUMNS = ("key_id", "name", "scope", "created_at", "expires_at", "revoked_at", "replaces")

Options = argparse.Namespace


async def key_add(options: Options, central: Central, tenant: str) -> None:
    """Make a key and tell its secret."""
    request = KeyRequest(name=options.name, scope=options.scope)
    made = await act(
        central,
        tenant,
        lambda connection: api_keys.add_key(connection, central.capabilities, tenant, request),
        lambda made: Act("key-added", made.key.key_id, made.key.scope),
    )
    _tell(options, made, f"{made.key.key_id} ({made.key.scope}) works from now on")


async def key_rotate(options: Options, central: Central, tenant: str) -> None:
    """Make a key in the place of another, and tell its secret."""
    rotation = KeyRotation(hours=options.hours)
    made = await act(
        central,
        tenant,
        lambda connection: api_keys.rotate_key(connection, central.capabilities, tenant, options.key_id, rotation),
        lambda made: Act("key-rotated", options.key_id, made.key.key_id),
    )
    ends = f"{options.key_id} ends in {options.hours} hours" if options.hours else f"{options.key_id} has ended"
    _tell(options, made, f"{made.key.key_id} ({made.key.scope}) works from now on; {ends}")


async def key_revoke(options: Options, central: Central, tenant: str) -> None:
    """End a key at once."""
    view = await act(
        central,
        tenant,
        lambda connection: api_keys.revoke_key(connection, central.capabilities, tenant, options.key_id),
        lambda view: Act("key-revoked", options.key_id),
    )
    if options.json:
        print_json(view)
        return
    print(f"{view.key_id} has ended: whoever uses it is refused from now on")


async def key_list(options: Options, central: Central, tenant: str) -> None:
    """List all keys, without their secrets."""
    keys = await central.database.read(lambda connection: _every_key(connection, tenant))
    if options.json:
        print_json({"keys": keys})
        return
    print_table("keys", [asdict(key) for key in keys], COLUMNS)


def _every_key(connection: Connection, tenant: str) -> list[KeyView]:
    found: list[KeyView] = []
    cursor: str | None = None
    while True:
        page = api_keys.key_list(connection, tenant, Paging(name="keys", limit=LIMIT_MAX, cursor=cursor))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def _tell(options: Options, made: KeySecret, text: str) -> None:
    """The secret alone is on standard output, so that a script can take it."""
    if options.json:
        print_json(made)
        return
    print(made.secret)
    print(f"{text}; this secret is kept nowhere and is not shown again", file=sys.stderr)
