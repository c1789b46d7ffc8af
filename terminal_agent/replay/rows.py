"""From a record to a row of an invoice, or to the reason why it makes none. Pure: no file, no clock.

Nothing is guessed: a cell that cannot be understood gives a Reject with its line number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from terminal_agent.replay.records import FileUnreadable, Record
from terminal_agent.replay.settings import Columns, FileFormat

__all__ = ["Reject", "Row", "read_rows"]

# What the SDK's vocabulary takes: see loyalty_sdk.codec for decimals, loyalty_sdk.model for names.
DECIMAL = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")
NAME_LENGTH_MAX = 64
SHOWN_LENGTH_MAX = 40
REQUIRED = ("invoice", "sku", "quantity", "date", "unit_price")
SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One article of one invoice. `unit_price_minor` is exact, in minor units; `member` is None for nobody."""

    line: int
    invoice: str
    sku: str
    description: str
    category: str
    quantity: Decimal
    unit_price_minor: Decimal
    occurred_at: datetime
    member: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One record that was skipped: its line in the file, its invoice as far as it can be read, and the reason."""

    line: int
    invoice: str
    reason: str


class _Refused(ValueError):
    """A cell that makes no sense; the text is the reason."""


def read_rows(records: Iterable[Record], file_format: FileFormat, *, minor_digits: int) -> Iterator[Row | Reject]:
    """Yield a Row or a Reject for each record after the header. Raises FileUnreadable if the header lacks a column."""
    stream = iter(records)
    header = next(stream, None)
    if header is None:
        raise FileUnreadable("the file is empty; its first line must name the columns")
    parser = _Parser(header, file_format, minor_digits)
    return (parser.parse(record) for record in stream)


class _Parser:
    """Knows where each field stands and how numbers and dates are written."""

    def __init__(self, header: Record, file_format: FileFormat, minor_digits: int) -> None:
        self._places = _places(header, file_format.columns)
        self._width = len(header.cells)
        self._format = file_format
        self._timezone = _timezone(file_format.timezone)
        self._scale = Decimal(10) ** minor_digits
        # The rows of one invoice repeat their date: the last one read is kept.
        self._last_date: tuple[str, datetime] | None = None

    def parse(self, record: Record) -> Row | Reject:
        try:
            return self._row(record)
        except _Refused as refused:
            return Reject(line=record.line, invoice=self._invoice_as_read(record), reason=str(refused))

    def _row(self, record: Record) -> Row:
        if record.problem:
            raise _Refused(record.problem)
        if len(record.cells) != self._width:
            raise _Refused(f"{len(record.cells)} cells, but the header names {self._width} columns")
        invoice = _name("invoice", self._cell(record, "invoice"))
        return Row(
            line=record.line,
            invoice=invoice,
            sku=_text("sku", self._cell(record, "sku")),
            description=SURROGATES.sub("\ufffd", self._cell(record, "description")),
            category=_text("category", self._cell(record, "category"), empty_allowed=True),
            quantity=self._quantity(record),
            unit_price_minor=self._unit_price(record),
            occurred_at=self._date(self._cell(record, "date")),
            member=_name("member", self._cell(record, "member"), empty_allowed=True) or None,
        )

    def _cell(self, record: Record, field: str) -> str:
        place = self._places.get(field)
        return "" if place is None else record.cells[place].strip()

    def _invoice_as_read(self, record: Record) -> str:
        place = self._places["invoice"]
        return record.cells[place].strip() if place < len(record.cells) else ""

    def _quantity(self, record: Record) -> Decimal:
        quantity = self._decimal("quantity", self._cell(record, "quantity"))
        if quantity == 0:
            raise _Refused("quantity is 0")
        return quantity

    def _unit_price(self, record: Record) -> Decimal:
        price = self._decimal("unit price", self._cell(record, "unit_price"))
        if price < 0:
            raise _Refused(f"unit price {price} is negative")
        minor = price * self._scale
        if not DECIMAL.fullmatch(format(minor, "f")):
            raise _Refused(f"unit price {price} is too large")
        return minor

    def _decimal(self, field: str, text: str) -> Decimal:
        plain = text.replace(self._format.decimal_mark, ".") if self._format.decimal_mark != "." else text
        if not DECIMAL.fullmatch(plain) or (plain != text and "." in text):
            raise _Refused(f"{field} {_shown(text)} is no decimal number of at most 12 digits and 6 decimals")
        return Decimal(plain)

    def _date(self, text: str) -> datetime:
        if self._last_date is None or self._last_date[0] != text:
            self._last_date = (text, self._parsed_date(text))
        return self._last_date[1]

    def _parsed_date(self, text: str) -> datetime:
        try:
            written = self._format.date_format
            value = datetime.strptime(text, written) if written else datetime.fromisoformat(text)
        except ValueError:
            raise _Refused(f"date {_shown(text)} cannot be read; --date-format says how dates are written") from None
        if value.year < 1900:
            raise _Refused(f"date {_shown(text)} is before 1900")
        return value if value.tzinfo is not None else value.replace(tzinfo=self._timezone)


def _places(header: Record, columns: Columns) -> dict[str, int]:
    """Return where each column stands. Raises FileUnreadable for a name that is missing or stands there twice."""
    names = [cell.strip() for cell in header.cells]
    wanted = {field.name: str(getattr(columns, field.name)) for field in fields(columns)}
    for field in REQUIRED:
        if not wanted[field]:
            raise FileUnreadable(f"the column for {field} has no name; give it with --column {field}=NAME")
    places = {}
    for field, name in wanted.items():
        if not name:
            continue
        if names.count(name) != 1:
            times = "no" if name not in names else "more than one"
            shown = ", ".join(names)
            raise FileUnreadable(f"{times} column {name!r} (for {field}) in: {shown}; use --column {field}=NAME")
        places[field] = names.index(name)
    return places


def _timezone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FileUnreadable(f"there is no time zone {name!r}; --timezone takes names as Europe/Lisbon") from None


def _name(field: str, text: str, *, empty_allowed: bool = False) -> str:
    """Check what becomes a receipt number or an alias: short and printable."""
    _text(field, text, empty_allowed=empty_allowed)
    if len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise _Refused(f"{field} {_shown(text)} must be at most {NAME_LENGTH_MAX} printable characters")
    return text


def _text(field: str, text: str, *, empty_allowed: bool = False) -> str:
    if not text and not empty_allowed:
        raise _Refused(f"{field} is empty")
    if SURROGATES.search(text):
        raise _Refused(f"{field} {_shown(text)} is not of the file's encoding; --encoding names another")
    return text


def _shown(text: str) -> str:
    return ascii(text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "...")
