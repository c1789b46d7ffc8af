"""What a replay is told: how the file is written, how it is run. Data only; `options` reads it from a command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Columns", "FileFormat", "ReplaySettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The header that stands over each field in the file; an empty name means that the file has no such column.

    The defaults are those of the UCI Online Retail data set.
    """

    invoice: str = "InvoiceNo"
    sku: str = "StockCode"
    description: str = "Description"
    quantity: str = "Quantity"
    date: str = "InvoiceDate"
    unit_price: str = "UnitPrice"
    member: str = "CustomerID"
    category: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """How the file is written.

    `date_format` is that of `strptime`, empty for ISO 8601; a date without offset is in `timezone` (an IANA name).
    An invoice whose number starts with `cancellation_prefix` takes back; with an empty prefix it is one whose
    quantities are all negative.
    """

    columns: Columns = field(default_factory=Columns)
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal_mark: str = "."
    date_format: str = ""
    timezone: str = "UTC"
    cancellation_prefix: str = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """One run: the file, the shops that it is spread over, the faults, and where the results go.

    `terminals` counts for each store, `registers` for each terminal. `limit` keeps the first invoices only, None all.
    """

    file: Path
    directory: Path
    format: FileFormat = field(default_factory=FileFormat)
    programme: Path | None = None
    currency: str | None = None
    stores: int = 1
    terminals: int = 1
    registers: int = 2
    redeem: bool = False
    outages: int = 0
    kills: int = 0
    seed: int = 1
    limit: int | None = None
    central_database: str | None = None
    balances: Path | None = None
    rejects: Path | None = None
    json: bool = False
