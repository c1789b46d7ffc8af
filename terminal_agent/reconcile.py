"""Comparing the journal with what central holds of it, entry by entry and by hash. Changes nothing on either side."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from loyalty_sdk.protocol import EntryPage, EntryRecord, JournalView
from sync.central import AnswerNonsense, json_call, parse, receive
from sync.host import Host
from sync.identity import Identity

__all__ = ["Reconciliation", "reconcile"]

PAGE_ENTRIES = 500
TIMEOUT_S = 30
DIFFERENCES_SHOWN_MAX = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What a comparison found.

    `missing` entries are here and not at central, `differing` have another id or hash there, `unknown` are at central
    and not here; `not_applied` names what central did not apply, as `seq outcome reason`.
    """

    terminal: str
    journal: str
    entries_here: int
    entries_at_central: int
    missing: tuple[int, ...]
    differing: tuple[int, ...]
    unknown: tuple[int, ...]
    not_applied: tuple[str, ...]
    equal: bool


def reconcile(journal: Path, identity: Identity, client: httpx.Client, host: Host) -> Reconciliation:
    """Compare. Raises CentralFailure, sqlite3.Error."""
    with closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        (journal_id,) = connection.execute("SELECT value FROM meta WHERE name = 'journal'").fetchone()
        rows = connection.execute("SELECT seq, id, hash FROM entries ORDER BY seq").fetchall()
    ours = {seq: (entry_id, digest.hex()) for seq, entry_id, digest in rows}
    theirs = {record.seq: record for record in _records(journal_id, identity, client, host)}
    missing = sorted(ours.keys() - theirs.keys())
    unknown = sorted(theirs.keys() - ours.keys())
    differing = [seq for seq in sorted(ours.keys() & theirs.keys()) if (theirs[seq].id, theirs[seq].hash) != ours[seq]]
    not_applied = [f"{r.seq} {r.outcome} {r.reason}".strip() for r in theirs.values() if r.outcome != "applied"]
    return Reconciliation(
        terminal=identity.terminal,
        journal=journal_id,
        entries_here=len(ours),
        entries_at_central=len(theirs),
        missing=tuple(missing[:DIFFERENCES_SHOWN_MAX]),
        differing=tuple(differing[:DIFFERENCES_SHOWN_MAX]),
        unknown=tuple(unknown[:DIFFERENCES_SHOWN_MAX]),
        not_applied=tuple(not_applied[:DIFFERENCES_SHOWN_MAX]),
        equal=not (missing or unknown or differing),
    )


def _records(journal: str, identity: Identity, client: httpx.Client, host: Host) -> Iterator[EntryRecord]:
    view = _ask(JournalView, f"/v1/journals/{journal}", identity, client, host)
    after, more = 0, view.watermark > 0
    while more:
        path = f"/v1/journals/{journal}/entries?after={after}&limit={PAGE_ENTRIES}"
        page = _ask(EntryPage, path, identity, client, host)
        yield from page.entries
        last = page.entries[-1].seq if page.entries else after
        if page.more and last <= after:
            raise AnswerNonsense(f"central says that more entries follow {after} and sends none of them")
        after, more = last, page.more


def _ask(cls: type[T], path: str, identity: Identity, client: httpx.Client, host: Host) -> T:
    return parse(cls, receive(client, json_call("GET", path).request(client, identity.token)), host.now())
