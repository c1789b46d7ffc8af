"""Small files of receipts for the tests of the replay."""

from pathlib import Path

from terminal_agent.replay.receipts import Invoices, group_rows
from terminal_agent.replay.records import read_records
from terminal_agent.replay.rows import Reject, Row, read_rows
from terminal_agent.replay.settings import FileFormat

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def csv_file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    """Write a file of these lines, the header first."""
    path = folder / "receipts.csv"
    path.write_bytes("\n".join((header, *lines, "")).encode())
    return path


def line(
    invoice: str = "1",
    sku: str = "A",
    quantity: str = "1",
    price: str = "1.00",
    member: str = "m",
    date: str = "2011-01-31 10:00:00",
) -> str:
    """One line of a file, as the UCI data set writes it."""
    return f"{invoice},{sku},THING,{quantity},{date},{price},{member},United Kingdom"


def rows_of(path: Path, file_format: FileFormat | None = None) -> list[Row | Reject]:
    """Read a file up to its rows, in a currency of two digits."""
    chosen = file_format or FileFormat()
    records = read_records(path, encoding=chosen.encoding, delimiter=chosen.delimiter)
    return list(read_rows(records, chosen, minor_digits=2))


def invoices_of(path: Path, prefix: str = "C", limit: int | None = None) -> Invoices:
    """Read a file up to its receipts, in pounds."""
    return group_rows(rows_of(path), currency="GBP", cancellation_prefix=prefix, limit=limit)


def reasons_of(invoices: Invoices) -> dict[int, str]:
    """The reason of each skipped line."""
    return {reject.line: reject.reason for reject in invoices.rejects}
