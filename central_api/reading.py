"""From an upload's lines to entries that can be judged. What cannot be read keeps its bytes and a reason.

Nothing here refuses an upload: a bad entry is quarantined later and holds back no other (Law 6).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from central_api.keys import KeyRing, SealBroken
from central_api.records import EntryRow
from loyalty_sdk.codec import CodecError, loads
from loyalty_sdk.envelope import Entry, attachment_hash, attachment_info, decode_entry
from loyalty_sdk.errors import LoyaltyError

__all__ = ["effective_time", "read_entry"]

ALIAS_LENGTH_MAX = 4_096
ID_LENGTH_MAX = 64


def read_entry(row: EntryRow, keys: KeyRing, tenant: str) -> None:
    """Fill in what the bytes and the attachment of a row say; `unfit` names what cannot be read."""
    try:
        entry = decode_entry(row.data)
    except (CodecError, LoyaltyError) as error:
        row.unfit, row.id_claimed = f"unreadable: {error}"[:500], _id_claimed(row.data)
        return
    row.id_claimed = entry.id
    if (entry.terminal, entry.journal, entry.seq) != (row.terminal, row.journal, row.seq):
        row.unfit = "envelope-misplaced"
        return
    if not 0 < len(entry.id) <= ID_LENGTH_MAX or not entry.id.isascii():
        row.unfit, row.id_claimed = "id-malformed", ""
        return
    row.entry = entry
    row.effective_at, row.clamped = effective_time(entry, row.received_at)
    _read_attachment(row, entry, keys, tenant)


def effective_time(entry: Entry, received_at: datetime) -> tuple[datetime, bool]:
    """Return min(max(occurred_at, central_time_seen), first received), and whether that is not what the clock said."""
    effective_at = min(max(entry.occurred_at, entry.central_time_seen or entry.occurred_at), received_at)
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


def _id_claimed(data: bytes) -> str:
    """The id that unreadable bytes name, if they name one: the terminal knows its entry by it."""
    try:
        content: Any = loads(data)
    except CodecError:
        return ""
    claimed = content.get("id") if isinstance(content, dict) else None
    return claimed if isinstance(claimed, str) and len(claimed) <= ID_LENGTH_MAX and claimed.isascii() else ""
