"""Finding receipts in the journal: by key, by entry, the latest of a register. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from loyalty_sdk.envelope import Entry, decode_entry
from loyalty_sdk.errors import ReceiptUnknown
from loyalty_sdk.model import ReceiptKey
from sync.journal import entry_at, entry_by_receipt, find_receipt
from sync.statements import PinnedConnection
from terminal_agent.print_jobs import entry_id_of

__all__ = ["ANY", "entries_by_id", "latest_receipt", "receipt_entry", "receipt_keys"]

ANY = "-"
"""How a tool that is no register fills its context: it stands for any store or register."""

LATEST_MAX = 2_000
BY_ID_MAX = 20_000

_LATEST = "SELECT bytes FROM entries WHERE kind IN ('sale', 'reversal') ORDER BY seq DESC LIMIT ?"
_BY_ID = (
    "SELECT id, bytes FROM entries WHERE seq > (SELECT max(seq) FROM entries) - ? AND id IN "
    "(SELECT value FROM json_each(?))"
)


def receipt_entry(connection: PinnedConnection, key: ReceiptKey) -> Entry:
    """Return the sale or reversal under a receipt key. Raises ReceiptUnknown, which says whether it was here once."""
    row = find_receipt(connection, key)
    if row is not None and entry_at(connection, row.seq) is None:
        raise ReceiptUnknown(
            f"receipt {key} was recorded here and has left the journal since: central still has it as entry "
            f"{row.entry_id}, this terminal cannot print it any more"
        )
    return entry_by_receipt(connection, key)


def latest_receipt(connection: PinnedConnection, store: str, register: str) -> Entry:
    """Return the latest sale or reversal of a register, among the last 2,000 of the terminal. Raises ReceiptUnknown."""
    for (data,) in connection.exec_driver_sql(_LATEST, (LATEST_MAX,)):
        entry = decode_entry(data)
        key = entry.receipt_key
        if key is not None and store in (ANY, key.store) and register in (ANY, key.register):
            return entry
    raise ReceiptUnknown(
        f"no receipt of {_place('store', store)} and {_place('register', register)} is recorded here: check both, or "
        "name a receipt"
    )


def _place(kind: str, name: str) -> str:
    return f"any {kind}" if name == ANY else f"{kind} {name}"


def entries_by_id(connection: PinnedConnection, entry_ids: Iterable[str]) -> dict[str, Entry]:
    """Return the entries with these ids that are among the last 20,000 of the journal."""
    wanted = "[" + ",".join(f'"{entry_id}"' for entry_id in entry_ids if '"' not in entry_id) + "]"
    rows = connection.exec_driver_sql(_BY_ID, (BY_ID_MAX, wanted))
    return {row.id: decode_entry(row.bytes) for row in rows}


def receipt_keys(connection: PinnedConnection, references: Iterable[str]) -> dict[str, ReceiptKey]:
    """Return the receipts that print jobs of these references print, as far as the journal holds them."""
    wanted = {reference: entry_id for reference in references if (entry_id := entry_id_of(reference))}
    entries = entries_by_id(connection, set(wanted.values())) if wanted else {}
    found = ((reference, entries.get(entry_id)) for reference, entry_id in wanted.items())
    return {reference: entry.receipt_key for reference, entry in found if entry and entry.receipt_key}
