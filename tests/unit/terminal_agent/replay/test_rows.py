"""From a record to a row: what real files hold is taken, what makes no sense is refused with its line."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from terminal_agent.replay.records import FileUnreadable
from terminal_agent.replay.rows import Reject, Row
from terminal_agent.replay.settings import Columns, FileFormat
from tests.unit.terminal_agent.replay.files import csv_file, line, rows_of


def only(folder: Path, text: str, file_format: FileFormat | None = None) -> Row | Reject:
    (row,) = rows_of(csv_file(folder, text), file_format)
    return row


def test_a_row_of_the_data_set_is_read_as_it_is(tmp_path: Path) -> None:
    text = "536365,85123A,WHITE HEART £5,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"
    assert only(tmp_path, text) == Row(
        line=2,
        invoice="536365",
        sku="85123A",
        description="WHITE HEART £5",
        category="",
        quantity=Decimal(6),
        unit_price_minor=Decimal(255),
        occurred_at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
        member="17850",
    )


def test_a_price_finer_than_a_minor_unit_stays_exact(tmp_path: Path) -> None:
    row = only(tmp_path, line(price="1.659"))
    assert isinstance(row, Row)
    assert row.unit_price_minor == Decimal("165.9")


@pytest.mark.parametrize("quantity", ["-12", "+3", "1.250", "999999999999"])
def test_quantities_are_decimals_of_either_sign(tmp_path: Path, quantity: str) -> None:
    row = only(tmp_path, line(quantity=quantity))
    assert isinstance(row, Row)
    assert row.quantity == Decimal(quantity)


def test_a_customer_may_be_missing_and_a_price_zero(tmp_path: Path) -> None:
    row = only(tmp_path, line(member="  ", price="0.00"))
    assert isinstance(row, Row)
    assert (row.member, row.unit_price_minor) == (None, Decimal(0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line(quantity="0"), "quantity is 0"),
        (line(quantity="-0.000"), "quantity is 0"),
        (line(quantity=""), "quantity '' is no decimal"),
        (line(quantity="1e3"), "quantity '1e3' is no decimal"),
        (line(quantity="nan"), "quantity 'nan' is no decimal"),
        (line(quantity="\uff11\uff12"), r"quantity '\uff11\uff12' is no decimal"),
        (line(quantity="1234567890123"), "quantity '1234567890123' is no decimal"),
        (line(price="-0.01"), "unit price -0.01 is negative"),
        (line(price="free"), "unit price 'free' is no decimal"),
        (line(price="99999999999.00"), "unit price 99999999999.00 is too large"),
        (line(date="2011-02-30 10:00"), "date '2011-02-30 10:00' cannot be read"),
        (line(date=""), "date '' cannot be read"),
        (line(date="0001-01-01"), "date '0001-01-01' is before 1900"),
        (line(invoice=" "), "invoice is empty"),
        (line(invoice="9" * 65), "invoice '9999"),
        (line(invoice="1\x00"), r"invoice '1\x00' must be"),
        (line(sku=""), "sku is empty"),
        (line(member="m\x07"), r"member 'm\x07' must be"),
        ("1,A,THING,1", "4 cells, but the header names 8 columns"),
        (line() + ",more", "9 cells, but the header names 8 columns"),
        (",,,,,,,", "invoice is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    reject = only(tmp_path, text)
    assert isinstance(reject, Reject)
    assert reject.reason.startswith(reason)
    assert reject.line == 2


def test_a_refused_row_keeps_its_invoice_where_it_can_be_read(tmp_path: Path) -> None:
    first, second = rows_of(csv_file(tmp_path, line(invoice="77", quantity="x"), "78,A"))
    assert (first.invoice, second.invoice) == ("77", "78")


def test_mojibake_costs_a_description_one_character_and_a_code_its_row(tmp_path: Path) -> None:
    path = csv_file(tmp_path)
    path.write_bytes(path.read_bytes() + b"1,A,5\xa3 NOTE,1,2011-01-31,1,m,UK\n1,B\xa3,X,1,2011-01-31,1,m,UK\n")
    good, bad = rows_of(path)
    assert isinstance(good, Row)
    assert good.description == "5\ufffd NOTE"
    assert isinstance(bad, Reject)
    assert "--encoding" in bad.reason


def test_odd_characters_in_a_description_stay(tmp_path: Path) -> None:
    row = only(tmp_path, '1,A,"SET, ""X""\x00\x1b 日本",1,2011-01-31,1,m,UK')
    assert isinstance(row, Row)
    assert row.description == 'SET, "X"\x00\x1b 日本'


def test_the_format_says_how_dates_and_decimals_are_written(tmp_path: Path) -> None:
    written = FileFormat(date_format="%m/%d/%Y %H:%M", timezone="Europe/London", decimal_mark=",", delimiter=";")
    header = "InvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;CustomerID"
    path = csv_file(tmp_path, "1;A;X;1,5;7/31/2011 9:05;2,55;m", "1;A;X;1;7/31/2011 9:05;1.000,50;m", header=header)
    row, reject = rows_of(path, written)
    assert isinstance(row, Row)
    assert (row.quantity, row.unit_price_minor) == (Decimal("1.5"), Decimal(255))
    assert row.occurred_at == datetime(2011, 7, 31, 9, 5, tzinfo=ZoneInfo("Europe/London"))
    assert row.occurred_at.isoformat() == "2011-07-31T09:05:00+01:00"
    assert isinstance(reject, Reject)


def test_an_offset_in_the_date_goes_before_the_zone(tmp_path: Path) -> None:
    row = only(tmp_path, line(date="2011-07-31T09:05:00-03:00"), FileFormat(timezone="Europe/London"))
    assert isinstance(row, Row)
    assert row.occurred_at.isoformat() == "2011-07-31T09:05:00-03:00"


def test_columns_are_found_by_name_and_may_be_absent(tmp_path: Path) -> None:
    columns = Columns(
        invoice="no",
        sku="code",
        description="",
        quantity="n",
        date="day",
        unit_price="price",
        member="",
        category="kind",
    )
    path = csv_file(tmp_path, "2.50,9,A,3,2011-01-31,toys", header="price, no ,code,n,day,kind")
    (row,) = rows_of(path, FileFormat(columns=columns))
    assert isinstance(row, Row)
    assert (row.invoice, row.category, row.member, row.description) == ("9", "toys", None, "")


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        ("InvoiceNo,StockCode", Columns(), "no column 'Description'"),
        ("A,A,B,C,D,E", Columns(invoice="A"), "more than one column 'A'"),
        ("A,B", replace(Columns(), sku=""), "the column for sku has no name"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, header: str, columns: Columns, message: str) -> None:
    with pytest.raises(FileUnreadable, match=message):
        rows_of(csv_file(tmp_path, header=header), FileFormat(columns=columns))


def test_an_empty_file_and_an_unknown_zone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(FileUnreadable, match="the file is empty"):
        rows_of(tmp_path / "empty.csv")
    with pytest.raises(FileUnreadable, match="--timezone"):
        rows_of(csv_file(tmp_path), FileFormat(timezone="Mars/Olympus"))
