"""Receipts as documents: the whole receipt for a printer that the agent owns, and its loyalty part for one it does not.

A pure function of the recorded entry, the programme and what is known of the member. Bytes are made by `drivers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from drivers.printer.document import Align, Columns, Cut, Document, Element, Feed, QrCode, Rule, TextLine
from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.envelope import Entry, ReversalBody, SaleBody
from loyalty_sdk.model import ReceiptKey, Reversal, Sale
from loyalty_sdk.programme import Programme, Reward
from sync.replica import MemberView
from terminal_agent.receipt_texts import Wording
from terminal_agent.receipt_words import ReceiptWords

__all__ = ["Receipt", "loyalty_document", "receipt_document"]

_INDENT = "  "
_NAME_WIDE_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt is made from: the recorded sale or reversal, and what is known around it."""

    body: SaleBody | ReversalBody
    key: ReceiptKey
    result: Sale | Reversal
    programme: Programme | None
    member: MemberView | None
    alias_pending: bool = False
    occurred_at: datetime | None = None
    original: SaleBody | None = None

    @classmethod
    def of_entry(
        cls,
        entry: Entry,
        result: Sale | Reversal,
        programme: Programme | None,
        member: MemberView | None,
        original: SaleBody | None = None,
    ) -> Receipt:
        """Make it from a recorded entry; `original` is the sale that it reverses, where the journal has it."""
        assert isinstance(entry.body, SaleBody | ReversalBody)
        return cls(
            body=entry.body,
            key=result.receipt,
            result=result,
            programme=programme,
            member=member,
            alias_pending=entry.attachment_hash is not None,
            occurred_at=entry.occurred_at,
            original=original,
        )


def receipt_document(receipt: Receipt, *, copy: bool = False) -> Document:
    """Return the whole receipt, to the cut."""
    wording = _wording(receipt)
    return Document(elements=tuple(_receipt_elements(receipt, wording, copy=copy)))


def loyalty_document(receipt: Receipt) -> Document:
    """Return the loyalty part alone, without cut; it is empty where nobody earns."""
    wording = _wording(receipt)
    elements = _loyalty_elements(receipt, wording)
    codes = _code_elements(receipt) if receipt.member is not None else ()
    return Document(elements=(*_headings(receipt, wording.words, copy=False), *elements, *codes))


def _wording(receipt: Receipt) -> Wording:
    programme, basket = receipt.programme, receipt.body.basket
    locale = "en" if programme is None else programme.receipt.locale
    currency = programme.currency if programme is not None else basket.currency if basket is not None else "XXX"
    return Wording(locale, currency)


def _receipt_elements(receipt: Receipt, wording: Wording, *, copy: bool) -> Iterator[Element]:
    words = wording.words
    yield from _headings(receipt, words, copy=copy)
    if receipt.programme is not None:
        yield from _header_elements(receipt.programme.receipt.header)
    yield from _identity_elements(receipt, wording)
    if isinstance(receipt.body, ReversalBody):
        yield from _reversal_elements(receipt.body, receipt.original, wording)
    else:
        yield from _basket_elements(receipt.body, receipt.body.basket, wording)
    yield from _loyalty_elements(receipt, wording)
    yield Rule()
    yield from _code_elements(receipt)
    if receipt.programme is not None:
        yield from (TextLine(text=text, align=Align.CENTER) for text in receipt.programme.receipt.footer)
    yield TextLine(text=words.no_invoice, align=Align.CENTER)
    yield Feed(lines=1)
    yield Cut()


def _headings(receipt: Receipt, words: ReceiptWords, *, copy: bool) -> Iterator[Element]:
    for marked, text in ((receipt.result.training, words.training), (copy, words.copy)):
        if marked:
            yield TextLine(text=text, align=Align.CENTER, bold=True)


def _header_elements(header: tuple[str, ...]) -> Iterator[Element]:
    """The shop's name as large as it is short, the other lines as they are."""
    for index, text in enumerate(header):
        large = index == 0
        wide = large and len(text) <= _NAME_WIDE_MAX
        yield TextLine(text=text, align=Align.CENTER, bold=large, double_height=large, double_width=wide)
    if header:
        yield Feed()


def _identity_elements(receipt: Receipt, wording: Wording) -> Iterator[Element]:
    """Which receipt it is: its number and business date, the time, where, and who sold it."""
    words, key = wording.words, receipt.key
    number = f"{key.series}-{key.number}" if key.series else key.number
    clock = "" if receipt.occurred_at is None else f" {wording.clock(receipt.occurred_at.astimezone())}"
    yield Columns(left=f"{words.receipt} {number}", right=f"{wording.day(key.business_date)}{clock}")
    place = words.place.format(store=key.store, register=key.register)
    yield Columns(left=place, right=f"{words.cashier} {receipt.body.cashier}")


def _reversal_elements(body: ReversalBody, original: SaleBody | None, wording: Wording) -> Iterator[Element]:
    """Which sale is reversed, what came back of it, and what was paid back."""
    words, key = wording.words, body.original
    yield TextLine(text=words.void if body.kind == "void" else words.return_, align=Align.CENTER, bold=True)
    if key is not None:
        number = f"{key.series}-{key.number}" if key.series else key.number
        yield Columns(left=f"{words.receipt} {number}", right=wording.day(key.business_date))
    yield Rule()
    if body.basket is not None:
        for line in body.basket.lines:
            yield from _line_elements(line, wording)
        yield Rule()
    elif original is not None:
        yield from _returned_elements(body, original.basket, wording)
        yield Rule()
    paid_back = sum(tender.amount_minor for tender in body.tenders)
    yield Columns(left=words.paid_back, right=wording.amount(paid_back), bold=True)
    yield from _tender_elements(body, wording)


def _returned_elements(body: ReversalBody, basket: Basket, wording: Wording) -> Iterator[Element]:
    """The lines of the sale that came back, without amounts: what a part is worth is the POS' to say."""
    for returned in body.lines or ():
        if returned.line <= len(basket.lines):
            line = basket.lines[returned.line - 1]
            yield Columns(left=line.description or line.sku, right=f"x {wording.number(returned.quantity)}")


def _basket_elements(body: SaleBody, basket: Basket, wording: Wording) -> Iterator[Element]:
    words = wording.words
    yield Rule()
    for line in basket.lines:
        yield from _line_elements(line, wording)
    yield Rule()
    tax = 0 if basket.prices_include_tax else sum(line.tax_minor for line in basket.lines)
    reward = 0 if body.redemption is None else -body.redemption.discount_minor
    for label, amount in ((words.tax, tax), (words.reward, reward), (words.rounding, body.rounding_minor)):
        if amount:
            yield Columns(left=label, right=wording.plain_amount(amount))
    due = basket.total_minor + reward + body.rounding_minor
    yield Columns(left=words.total, right=wording.amount(due), bold=True)
    yield from _tender_elements(body, wording)


def _line_elements(line: Line, wording: Wording) -> Iterator[Element]:
    """What was sold and its price; how many of it, and what was taken off, on lines of their own."""
    yield Columns(
        left=line.description or line.sku, right=wording.plain_amount(line.amount_minor + line.discount_minor)
    )
    if line.quantity != 1:
        each = wording.plain_amount(line.unit_price_minor)
        yield TextLine(text=f"{_INDENT}{wording.number(line.quantity)} x {each}")
    if line.discount_minor:
        yield Columns(left=f"{_INDENT}{wording.words.discount}", right=wording.plain_amount(-line.discount_minor))


def _tender_elements(body: SaleBody | ReversalBody, wording: Wording) -> Iterator[Element]:
    for tender in body.tenders:
        kind = wording.words.tenders.get(tender.kind.lower(), tender.kind[:1].upper() + tender.kind[1:])
        yield Columns(left=kind, right=wording.plain_amount(tender.amount_minor))


def _loyalty_elements(receipt: Receipt, wording: Wording) -> Iterator[Element]:
    words, member, programme = wording.words, receipt.member, receipt.programme
    if member is None and not receipt.alias_pending:
        return
    yield Rule()
    if programme is not None:
        yield TextLine(text=programme.name, align=Align.CENTER, bold=True)
    if member is not None and member.name_masked:
        yield Columns(left=words.member, right=member.name_masked)
    for label, points in _points(receipt.result, words):
        if points:
            yield Columns(left=label, right=wording.number(points))
    if member is None:
        yield TextLine(text=words.points_later)
    elif receipt.result.balance is not None:
        yield Columns(left=words.balance, right=wording.number(receipt.result.balance), bold=True)
        as_of = words.as_of.format(time=wording.time(member.as_of.astimezone()))
        yield Columns(left="", right=f"({as_of})")
        yield from _reward_elements(programme, receipt.result.balance, wording)


def _points(result: Sale | Reversal, words: ReceiptWords) -> tuple[tuple[str, int | None], ...]:
    if isinstance(result, Sale):
        return (words.points_earned, result.points_earned), (words.points_redeemed, result.points_redeemed)
    return (words.points_taken_back, result.points_debited), (words.points_given_back, result.points_credited)


def _reward_elements(programme: Programme | None, balance: int, wording: Wording) -> Iterator[Element]:
    """What the balance buys, or how far it is from the first reward."""
    rewards: tuple[Reward, ...] = () if programme is None else programme.rewards
    if not rewards:
        return
    reward = min(rewards, key=lambda reward: (reward.points > balance, abs(reward.points - balance)))
    text = wording.words.reward_ready if reward.points <= balance else wording.words.reward_ahead
    points = reward.points if reward.points <= balance else reward.points - balance
    amount = wording.amount(reward.discount_minor)
    yield TextLine(text=text.format(points=wording.number(points), amount=amount), align=Align.CENTER)


def _code_elements(receipt: Receipt) -> Iterator[Element]:
    """The QR code that the programme wants; a training receipt has none, for it leads nowhere."""
    template = "" if receipt.programme is None else receipt.programme.receipt.qr
    if template and not receipt.result.training:
        number = quote(_code_of(receipt.key), safe="/", errors="replace")
        yield QrCode(data=template.replace("{receipt}", number), module_dots=4)


def _code_of(key: ReceiptKey) -> str:
    """The receipt key in one text without spaces: store/register/date/series/number, series left out if empty."""
    parts = (key.store, key.register, key.business_date.isoformat(), key.series, key.number)
    return "/".join(part.replace("/", "-") for part in parts if part)
