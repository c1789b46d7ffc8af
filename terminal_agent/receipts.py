"""Receipts as documents: the whole receipt for a printer that the agent owns, and its loyalty part for one it does not.

A pure function of the recorded entry, the programme and what is known of the member. Bytes are made by `drivers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.printer.document import Align, Columns, Cut, Document, Element, Feed, Rule, TextLine
from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.envelope import Entry, ReversalBody, SaleBody
from loyalty_sdk.model import ReceiptKey, Reversal, Sale
from loyalty_sdk.programme import Programme
from sync.replica import MemberView
from terminal_agent.receipt_texts import ReceiptWords, Wording

__all__ = ["Receipt", "loyalty_document", "receipt_document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt is made from: the recorded sale or reversal, and what is known around it."""

    body: SaleBody | ReversalBody
    key: ReceiptKey
    result: Sale | Reversal
    programme: Programme | None
    member: MemberView | None
    alias_pending: bool = False

    @classmethod
    def of_entry(
        cls, entry: Entry, result: Sale | Reversal, programme: Programme | None, member: MemberView | None
    ) -> Receipt:
        """Make it from a recorded entry."""
        assert isinstance(entry.body, SaleBody | ReversalBody)
        return cls(
            body=entry.body,
            key=result.receipt,
            result=result,
            programme=programme,
            member=member,
            alias_pending=entry.attachment_hash is not None,
        )


def receipt_document(receipt: Receipt, *, copy: bool = False) -> Document:
    """Return the whole receipt, to the cut."""
    wording = _wording(receipt)
    return Document(elements=tuple(_receipt_elements(receipt, wording, copy=copy)))


def loyalty_document(receipt: Receipt) -> Document:
    """Return the loyalty part alone, without cut."""
    wording = _wording(receipt)
    elements = _loyalty_elements(receipt, wording)
    return Document(elements=(*_headings(receipt, wording.words, copy=False), *elements))


def _wording(receipt: Receipt) -> Wording:
    programme, basket = receipt.programme, receipt.body.basket
    locale = "en" if programme is None else programme.receipt.locale
    currency = programme.currency if programme is not None else basket.currency if basket is not None else "XXX"
    return Wording(locale, currency)


def _receipt_elements(receipt: Receipt, wording: Wording, *, copy: bool) -> Iterator[Element]:
    words = wording.words
    yield from _headings(receipt, words, copy=copy)
    if receipt.programme is not None:
        for index, text in enumerate(receipt.programme.receipt.header):
            yield TextLine(text=text, align=Align.CENTER, bold=index == 0, double_height=index == 0)
    number = f"{receipt.key.series}-{receipt.key.number}" if receipt.key.series else receipt.key.number
    yield Columns(left=f"{words.receipt} {number}", right=wording.day(receipt.key.business_date))
    yield Columns(left=f"{receipt.key.store}/{receipt.key.register}", right=f"{words.cashier} {receipt.body.cashier}")
    if isinstance(receipt.body, ReversalBody):
        yield from _reversal_elements(receipt.body, words)
    if receipt.body.basket is not None:
        yield from _basket_elements(receipt.body, receipt.body.basket, wording)
    else:
        yield from _tender_elements(receipt.body, wording)
    yield from _loyalty_elements(receipt, wording)
    if receipt.programme is not None:
        yield from (TextLine(text=text, align=Align.CENTER) for text in receipt.programme.receipt.footer)
    yield Feed(lines=1)
    yield Cut()


def _headings(receipt: Receipt, words: ReceiptWords, *, copy: bool) -> Iterator[Element]:
    for marked, text in ((receipt.result.training, words.training), (copy, words.copy)):
        if marked:
            yield TextLine(text=text, align=Align.CENTER, bold=True)


def _reversal_elements(body: ReversalBody, words: ReceiptWords) -> Iterator[Element]:
    heading = words.void if body.kind == "void" else words.return_
    yield TextLine(text=heading, align=Align.CENTER, bold=True)
    if body.original is not None:
        yield TextLine(text=f"{words.receipt} {body.original}")


def _basket_elements(body: SaleBody | ReversalBody, basket: Basket, wording: Wording) -> Iterator[Element]:
    words = wording.words
    yield Rule()
    for line in basket.lines:
        yield Columns(left=_line_text(line, wording), right=wording.plain_amount(line.amount_minor))
    yield Rule()
    redemption = body.redemption if isinstance(body, SaleBody) else None
    if redemption is not None:
        yield Columns(left=words.reward, right=wording.plain_amount(-redemption.discount_minor))
    rounding = body.rounding_minor if isinstance(body, SaleBody) else 0
    if rounding:
        yield Columns(left=words.rounding, right=wording.plain_amount(rounding))
    due = basket.total_minor - (0 if redemption is None else redemption.discount_minor) + rounding
    yield Columns(left=words.total, right=wording.amount(due), bold=True)
    yield from _tender_elements(body, wording)


def _tender_elements(body: SaleBody | ReversalBody, wording: Wording) -> Iterator[Element]:
    for tender in body.tenders:
        yield Columns(left=tender.kind, right=wording.plain_amount(tender.amount_minor))


def _line_text(line: Line, wording: Wording) -> str:
    name = line.description or line.sku
    return name if line.quantity == 1 else f"{wording.number(line.quantity)} x {name}"


def _loyalty_elements(receipt: Receipt, wording: Wording) -> Iterator[Element]:
    words, member = wording.words, receipt.member
    if member is None and not receipt.alias_pending:
        return
    yield Rule()
    if member is not None and member.name_masked:
        yield Columns(left=words.member, right=member.name_masked)
    for label, points in _points(receipt.result, words):
        if points:
            yield Columns(left=label, right=wording.number(points))
    if member is None:
        yield TextLine(text=words.points_later)
    elif receipt.result.balance is not None:
        yield Columns(left=words.balance, right=wording.number(receipt.result.balance), bold=True)
        yield TextLine(text=f"({words.as_of} {wording.time(member.as_of.astimezone())})", align=Align.RIGHT)


def _points(result: Sale | Reversal, words: ReceiptWords) -> tuple[tuple[str, int | None], ...]:
    if isinstance(result, Sale):
        return (words.points_earned, result.points_earned), (words.points_redeemed, result.points_redeemed)
    return (words.points_taken_back, result.points_debited), (words.points_given_back, result.points_credited)
