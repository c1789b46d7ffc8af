"""When each terminal was last heard of, for people who look after them. To the minute: not every call is a write."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from central_api.storage.schema_office import contacts
from central_api.storage.statements import given, select_value, upsert_rows
from central_api.terminals.terminals import Terminal

__all__ = ["is_to_be_noted", "note_contact"]

NOTED_EVERY = timedelta(minutes=1)

_CONTACT = select(contacts.c.contacted_at).where(given(contacts.c.tenant, contacts.c.terminal))


def is_to_be_noted(connection: Connection, terminal: Terminal, now: datetime) -> bool:
    """Whether what is noted of a terminal is older than a minute, or from a clock that was ahead."""
    place = {"tenant": terminal.tenant, "terminal": terminal.terminal}
    last: datetime | None = select_value(connection, _CONTACT, place)
    return last is None or not last <= now < last + NOTED_EVERY


def note_contact(connection: Connection, terminal: Terminal, now: datetime, journal: str, head: int | None) -> None:
    """Note that a terminal was heard of, and the head of its journal where it said so."""
    row = {"tenant": terminal.tenant, "terminal": terminal.terminal, "contacted_at": now}
    upsert_rows(connection, contacts, [row | {"journal": journal, "head": head}])
