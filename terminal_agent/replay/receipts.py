"""From rows to whole invoices: sales and cancellations, or the reason why an invoice is neither. Pure.

An invoice is taken whole or not at all. One row that cannot be understood makes the rest of its invoice a guess: its
total, what was paid and what it earned would be wrong. Every row ends in exactly one receipt or one Reject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from loyalty_sdk.basket import LINES_MAX, Basket, Line
from loyalty_sdk.codec import INTEGER_MAX, dumps
from loyalty_sdk.errors import BasketInvalid
from terminal_agent.replay.records import FileUnreadable
from terminal_agent.replay.rows import Reject, Row

__all__ = ["ROWS_MAX", "Invoices", "Receipt", "group_rows"]

# The file is held in memory, because an invoice's rows may stand anywhere in it: about 1 kB for each row.
ROWS_MAX = 2_000_000
# A call to the agent takes 1,000,000 bytes; the basket leaves room for the rest of the call.
BASKET_BYTES_MAX = 900_000
LINE_BYTES_BESIDE_TEXT_MAX = 300
ESCAPED_CHARACTER_BYTES_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One invoice that makes sense. The basket of a cancellation has positive quantities. `rows` are line numbers."""

    invoice: str
    cancellation: bool
    member: str | None
    occurred_at: datetime
    basket: Basket
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices:
    """What a file holds: its receipts in order of time (of the file where times are equal), and what was skipped."""

    receipts: tuple[Receipt, ...]
    rejects: tuple[Reject, ...]


class _Refused(ValueError):
    """An invoice that makes no sense as a whole; the text is the reason."""


def group_rows(
    rows: Iterable[Row | Reject], *, currency: str, cancellation_prefix: str, limit: int | None = None
) -> Invoices:
    """Gather the rows of each invoice, wherever they stand, and make a receipt of each. Raises FileUnreadable.

    With `limit` the first invoices of the file are kept; the rows of all others are left out, not rejected.
    """
    groups, rejects = _groups(rows, limit)
    receipts = []
    for invoice, group in groups.items():
        try:
            receipts.append(_receipt(invoice, group, currency, cancellation_prefix))
        except (_Refused, BasketInvalid) as refused:
            rejects += _rejected(group, str(refused))
    receipts.sort(key=lambda receipt: receipt.occurred_at)
    return Invoices(receipts=tuple(receipts), rejects=tuple(sorted(rejects, key=lambda reject: reject.line)))


def _groups(rows: Iterable[Row | Reject], limit: int | None) -> tuple[dict[str, list[Row | Reject]], list[Reject]]:
    """Return the rows by invoice, and the rejects whose invoice cannot be read."""
    groups: dict[str, list[Row | Reject]] = {}
    homeless: list[Reject] = []
    for count, row in enumerate(rows, start=1):
        if count > ROWS_MAX:
            raise FileUnreadable(f"the file has more than {ROWS_MAX} rows; split it, or use --limit on a shorter one")
        if not row.invoice and isinstance(row, Reject):
            homeless.append(row)
        elif row.invoice in groups:
            groups[row.invoice].append(row)
        elif limit is None or len(groups) < limit:
            groups[row.invoice] = [row]
    return groups, homeless


def _receipt(invoice: str, group: list[Row | Reject], currency: str, prefix: str) -> Receipt:
    bad = next((row for row in group if isinstance(row, Reject)), None)
    if bad is not None:
        raise _Refused(f"line {bad.line} of the same invoice cannot be used, so its total is not known")
    rows = [row for row in group if isinstance(row, Row)]
    if len({row.member for row in rows}) > 1:
        raise _Refused("the rows of the invoice name different customers")
    if len(rows) > LINES_MAX:
        raise _Refused(f"the invoice has {len(rows)} rows, a receipt has at most {LINES_MAX}")
    cancellation = _is_cancellation(invoice, rows, prefix)
    basket = _basket(currency, [_line(row, cancellation) for row in rows])
    return Receipt(
        invoice=invoice,
        cancellation=cancellation,
        member=rows[0].member,
        occurred_at=rows[0].occurred_at,
        basket=basket,
        rows=tuple(row.line for row in rows),
    )


def _is_cancellation(invoice: str, rows: list[Row], prefix: str) -> bool:
    negative = [row.quantity < 0 for row in rows]
    if not prefix:
        return all(negative)
    if not invoice.startswith(prefix):
        return False
    if not all(negative):
        raise _Refused("a cancellation with a positive quantity")
    return True


def _line(row: Row, cancellation: bool) -> Line:
    quantity = -row.quantity if cancellation else row.quantity
    amount = int((quantity * row.unit_price_minor).to_integral_value(ROUND_HALF_UP))
    return Line(
        sku=row.sku,
        amount_minor=amount,
        quantity=quantity,
        unit_price_minor=row.unit_price_minor,
        description=row.description,
        category=row.category,
    )


def _basket(currency: str, lines: list[Line]) -> Basket:
    total = sum(line.amount_minor for line in lines)
    if total < 0:
        raise _Refused(f"the total is {Decimal(total)} minor units, and the invoice is no cancellation")
    if max(abs(line.amount_minor) for line in lines) > INTEGER_MAX or total > INTEGER_MAX:
        raise _Refused("an amount of the invoice is too large")
    basket = Basket(currency=currency, lines=tuple(lines), total_minor=total)
    if _may_exceed_bytes(basket) and len(dumps(basket)) > BASKET_BYTES_MAX:
        raise _Refused(f"the texts of the invoice are too long: more than {BASKET_BYTES_MAX} bytes")
    return basket


def _may_exceed_bytes(basket: Basket) -> bool:
    """Tell cheaply whether the basket's encoding is worth measuring."""
    characters = sum(len(line.sku) + len(line.description) + len(line.category) for line in basket.lines)
    beside = len(basket.lines) * LINE_BYTES_BESIDE_TEXT_MAX
    return characters * ESCAPED_CHARACTER_BYTES_MAX + beside > BASKET_BYTES_MAX


def _rejected(group: list[Row | Reject], reason: str) -> list[Reject]:
    return [
        row if isinstance(row, Reject) else Reject(line=row.line, invoice=row.invoice, reason=reason) for row in group
    ]
