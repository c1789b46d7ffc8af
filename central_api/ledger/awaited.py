"""The names of what held entries wait for: a sale's receipt, an alias that nobody has registered. Text only."""

from __future__ import annotations

from loyalty_sdk.model import ReceiptKey

__all__ = ["waits_for_alias", "waits_for_receipt"]


def waits_for_alias(digest: str) -> str:
    """Return the name under which an entry waits for its alias, by the alias' digest."""
    return f"alias:{digest}"


def waits_for_receipt(key: ReceiptKey) -> str:
    """Return the name under which a return waits for its sale; a field cannot run into the next."""
    fields = (key.store, key.register, key.business_date.isoformat(), key.series, key.number)
    return "receipt:" + "".join(f"{len(field)}:{field}" for field in fields)
