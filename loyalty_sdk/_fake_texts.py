"""The receipts of a FakeAgent: plain English lines. The agent's own are laid out by locale and printer."""

from __future__ import annotations

from loyalty_sdk.model import ReceiptBlock, Reversal, Sale
from loyalty_sdk.programme import ReceiptTexts

__all__ = ["printed_text", "receipt_block"]


def receipt_block(recorded: Sale | Reversal, texts: ReceiptTexts, columns: int) -> ReceiptBlock:
    """Return the loyalty part of a receipt; its bytes are the same lines in code page 858."""
    heading = ["*** TRAINING ***"] if recorded.training else []
    middle = [_row(label, value, columns) for label, value in _rows(recorded)]
    lines = tuple(_plain(line)[:columns] for line in (*heading, *texts.header, *middle, *texts.footer))
    return ReceiptBlock(lines=lines, escpos="".join(f"{line}\n" for line in lines).encode("cp858", "replace"))


def printed_text(recorded: Sale | Reversal, texts: ReceiptTexts, columns: int, *, copy: bool) -> str:
    """Return a whole printed receipt."""
    kind = recorded.kind if isinstance(recorded, Reversal) else "sale"
    heading = (["*** COPY ***"] if copy else []) + [f"{kind} {recorded.receipt}"]
    return "\n".join([*heading, *receipt_block(recorded, texts, columns).lines])


def _rows(recorded: Sale | Reversal) -> list[tuple[str, int]]:
    points: tuple[tuple[str, int | None], ...]
    if isinstance(recorded, Sale):
        points = ("Points earned", recorded.points_earned), ("Points redeemed", recorded.points_redeemed)
    else:
        points = ("Points taken back", recorded.points_debited), ("Points given back", recorded.points_credited)
    rows = [(label, value) for label, value in points if value]
    return rows if recorded.balance is None else [*rows, ("Balance", recorded.balance)]


def _row(label: str, value: int, columns: int) -> str:
    return f"{label} {value:>{columns - len(label) - 1}}"


def _plain(line: str) -> str:
    return "".join(character for character in line if character.isprintable())
