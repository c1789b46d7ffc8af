"""From an upload's lines to entries that can be judged. What cannot be read keeps its bytes and a reason.

Nothing here refuses an upload: a bad entry is quarantined later and holds back no other (Law 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from central_api.keys import KeyRing, SealBroken
from central_api.ledger.records import EntryRow
from loyalty_sdk.codec import CodecError, loads
from loyalty_sdk.envelope import Entry, attachment_hash, attachment_info, decode_entry
from loyalty_sdk.errors import LoyaltyError

__all__ = ["effective_time", "read_entry"]

ALIAS_LENGTH_MAX = 4_096
REASON_LENGTH_MAX = 500
ENTRY_ID = re.compile(r"[!-~]{1,64}")
# A clock before this is nonsense, and the first years of the calendar cannot be told in every time zone.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def read_entry(row: EntryRow, keys: KeyRing, tenant: str) -> None:
    """Fill in what the bytes and the attachment of a row say; `unfit` names what cannot be read."""
    try:
        entry = decode_entry(row.data)
    except (CodecError, LoyaltyError) as error:
        row.unfit, row.id_claimed = _printable(f"unreadable: {error}"), _id_claimed(row.data)
        return
    if not ENTRY_ID.fullmatch(entry.id):
        row.unfit = "id-malformed"
        return
    row.id_claimed = entry.id
    if (entry.terminal, entry.journal, entry.seq) != (row.terminal, row.journal, row.seq):
        row.unfit = "envelope-misplaced"
        return
    if not all(name.isprintable() for name in _names_in(entry)):
        # Nothing is called so, and PostgreSQL cannot even be asked for a text that holds U+0000.
        row.unfit = "name-unprintable"
        return
    row.entry = entry
    row.effective_at, row.clamped = effective_time(entry, row.received_at)
    _read_attachment(row, entry, keys, tenant)


def effective_time(entry: Entry, received_at: datetime) -> tuple[datetime, bool]:
    """Return min(max(occurred_at, central_time_seen), first received), and whether that is not what the clock said."""
    latest = max(entry.occurred_at, entry.central_time_seen or entry.occurred_at, EARLIEST)
    effective_at = min(latest, received_at)
    return effective_at, effective_at != entry.occurred_at


def _read_attachment(row: EntryRow, entry: Entry, keys: KeyRing, tenant: str) -> None:
    if row.sealed is None:
        return
    if attachment_hash(row.sealed) != entry.attachment_hash:
        row.sealed, row.unfit = None, "attachment-differs"
        return
    try:
        row.opened = keys.open_attachment(row.sealed, attachment_info(entry.terminal, entry.id))
    except SealBroken:
        return
    alias = _alias_in(row.opened)
    row.alias_digest = None if alias is None else keys.alias_digest(tenant, alias)


def _alias_in(opened: bytes) -> str | None:
    """The alias of `{"alias": …, "entry_method": …}`, None where there is none that can be one."""
    try:
        content = loads(opened)
    except CodecError:
        return None
    alias = content.get("alias") if isinstance(content, dict) else None
    return alias if isinstance(alias, str) and 0 < len(alias.strip()) <= ALIAS_LENGTH_MAX else None


def _names_in(entry: Entry) -> Iterator[str]:
    """The ids of members and grants that an entry is looked up by."""
    yield from (use.grant_id for use in entry.grants)
    yield from (name for field in ("member_id", "grant_id") if (name := getattr(entry.body, field, None)) is not None)


def _id_claimed(data: bytes) -> str:
    """The id that unreadable bytes name, if they name one: the terminal knows its entry by it."""
    try:
        content: Any = loads(data)
    except CodecError:
        return ""
    claimed = content.get("id") if isinstance(content, dict) else None
    return claimed if isinstance(claimed, str) and ENTRY_ID.fullmatch(claimed) else ""


def _printable(text: str) -> str:
    """What a hostile entry makes an error say must not make storing it fail."""
    return "".join(character if character.isprintable() else "?" for character in text)[:REASON_LENGTH_MAX]
