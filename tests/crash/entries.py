"""An entry's bytes as the crash tests read them: with plain `json`, from docs/protocol.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["EntryFacts", "read_entry"]


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What the audit needs of an entry.

    `uses` are points by grant id, `voids` is the receipt that it undoes, `closes` the grant that it gives back.
    """

    entry_id: str
    kind: str
    receipt: str | None
    hold: str | None
    uses: tuple[tuple[str, int], ...]
    voids: str | None
    closes: str | None
    has_attachment: bool


@lru_cache(maxsize=100_000)
def read_entry(data: bytes) -> EntryFacts:
    """Read an entry's bytes; the images of one recording hold the same ones again and again."""
    document: dict[str, Any] = json.loads(data)
    body, kind = document["body"], document["kind"]
    redemption = body.get("redemption") if kind == "sale" else None
    voids = body.get("original") if kind == "reversal" and body["kind"] == "void" else None
    return EntryFacts(
        entry_id=document["id"],
        kind=kind,
        receipt=_receipt(document.get("receipt_key")),
        hold=body.get("hold_id") if redemption is None else redemption["hold_id"],
        uses=_uses(document.get("grants") or ()),
        voids=_receipt(voids),
        closes=body["grant_id"] if kind == "grant_closed" else None,
        has_attachment=document.get("attachment_hash") is not None,
    )


def _uses(grants: Sequence[dict[str, Any]]) -> tuple[tuple[str, int], ...]:
    return tuple((grant["grant_id"], grant["points"]) for grant in grants)


def _receipt(key: dict[str, Any] | None) -> str | None:
    """As `str(ReceiptKey)` writes it, which the lists of the registers hold."""
    if key is None:
        return None
    series = f"{key['series']}-" if key.get("series") else ""
    return f"{key['store']}/{key['register']} {key['business_date']} {series}{key['number']}"
