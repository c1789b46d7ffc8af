"""Which register records which receipt. Pure: the same file and settings give the same distribution everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from loyalty_sdk.model import ReceiptKey
from terminal_agent.replay.receipts import Receipt

__all__ = ["Lane", "lane_of", "lanes", "receipt_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A register, the terminal whose agent serves it, and the store of both. The names are the replay's own."""

    store: str
    terminal: str
    register: str


def lanes(stores: int, terminals: int, registers: int) -> tuple[Lane, ...]:
    """Return every register: `terminals` for each store, `registers` for each terminal."""
    return tuple(
        Lane(store=f"store-{store}", terminal=f"store-{store}-terminal-{terminal}", register=f"{terminal}-{register}")
        for store in range(1, stores + 1)
        for terminal in range(1, terminals + 1)
        for register in range(1, registers + 1)
    )


def lane_of(invoice: str, available: Sequence[Lane]) -> Lane:
    """Return the register that records an invoice. So a cancellation may come in at another terminal than its sale."""
    digest = hashlib.sha256(invoice.encode()).digest()
    return available[int.from_bytes(digest[:8], "big") % len(available)]


def receipt_key(receipt: Receipt, lane: Lane) -> ReceiptKey:
    """Return the key of a receipt: its invoice number, on its own date."""
    return ReceiptKey(
        store=lane.store,
        register=lane.register,
        business_date=receipt.occurred_at.date(),
        number=receipt.invoice,
    )
