"""From rows to receipts: whole invoices or none, and no row is lost or counted twice."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.basket import LINES_MAX
from terminal_agent.replay import receipts
from terminal_agent.replay.records import FileUnreadable
from tests.unit.terminal_agent.replay.files import csv_file, invoices_of, line, reasons_of


def test_the_rows_of_an_invoice_make_one_sale(tmp_path: Path) -> None:
    path = csv_file(tmp_path, line(sku="A", quantity="3", price="0.85"), line(sku="B"), line(sku="A", price="0.85"))
    (receipt,) = invoices_of(path).receipts
    assert [(item.sku, item.quantity, item.amount_minor) for item in receipt.basket.lines] == [
        ("A", Decimal(3), 255),
        ("B", Decimal(1), 100),
        ("A", Decimal(1), 85),
    ]
    assert (receipt.basket.total_minor, receipt.member, receipt.rows) == (440, "m", (2, 3, 4))


def test_rows_far_apart_belong_to_one_invoice_and_the_first_date_counts(tmp_path: Path) -> None:
    late = "2011-01-31 10:01:00"
    path = csv_file(tmp_path, line("1"), line("2", date=late), line("1", sku="B", date="2011-01-31 10:02:00"))
    first, second = invoices_of(path).receipts
    assert (first.invoice, first.rows, first.occurred_at.minute) == ("1", (2, 4), 0)
    assert second.invoice == "2"


def test_receipts_come_in_order_of_time_then_of_the_file(tmp_path: Path) -> None:
    path = csv_file(tmp_path, line("1", date="2011-02-01"), line("2"), line("3"))
    assert [receipt.invoice for receipt in invoices_of(path).receipts] == ["2", "3", "1"]


@pytest.mark.parametrize(("price", "quantity", "amount"), [("0.005", "1", 1), ("0.004", "1", 0), ("0.165", "3", 50)])
def test_an_amount_is_rounded_half_up(tmp_path: Path, price: str, quantity: str, amount: int) -> None:
    (receipt,) = invoices_of(csv_file(tmp_path, line(price=price, quantity=quantity))).receipts
    assert receipt.basket.total_minor == amount


def test_a_cancellation_holds_positive_quantities(tmp_path: Path) -> None:
    (receipt,) = invoices_of(csv_file(tmp_path, line("C1", quantity="-2", price="4.65"))).receipts
    assert receipt.cancellation
    assert (receipt.basket.lines[0].quantity, receipt.basket.total_minor) == (Decimal(2), 930)


def test_without_a_prefix_an_invoice_of_negative_quantities_takes_back(tmp_path: Path) -> None:
    path = csv_file(tmp_path, line("C1"), line("2", quantity="-1"), line("3", quantity="-1"), line("3", quantity="2"))
    assert [receipt.cancellation for receipt in invoices_of(path, prefix="").receipts] == [False, True, False]


def test_a_stock_adjustment_at_price_zero_is_a_sale_that_earns_nothing(tmp_path: Path) -> None:
    (receipt,) = invoices_of(csv_file(tmp_path, line(quantity="-20", price="0.0", member=""))).receipts
    assert (receipt.cancellation, receipt.basket.total_minor, receipt.member) == (False, 0, None)


def test_an_article_handed_back_in_exchange_stays_in_its_sale(tmp_path: Path) -> None:
    path = csv_file(tmp_path, line(sku="A", price="5"), line(sku="B", price="3", quantity="-1"))
    (receipt,) = invoices_of(path).receipts
    assert (receipt.basket.total_minor, receipt.basket.lines[1].quantity) == (200, Decimal(-1))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([line(member="m"), line(member="n")], "name different customers"),
        ([line(member="m"), line(member="")], "name different customers"),
        ([line("C1", quantity="-1"), line("C1", quantity="1")], "a cancellation with a positive quantity"),
        ([line(quantity="-1"), line(quantity="-2", sku="B")], "the total is -300 minor units"),
        ([line(quantity="999999999999", price="999999999.99")], "too large"),
    ],
)
def test_an_invoice_that_makes_no_sense_is_skipped_whole(tmp_path: Path, lines: list[str], reason: str) -> None:
    invoices = invoices_of(csv_file(tmp_path, *lines, line("9")))
    assert [receipt.invoice for receipt in invoices.receipts] == ["9"]
    assert set(reasons_of(invoices)) == set(range(2, 2 + len(lines)))
    assert all(reason in text for text in reasons_of(invoices).values())


def test_one_bad_row_skips_its_invoice_and_says_which_row_it_was(tmp_path: Path) -> None:
    invoices = invoices_of(csv_file(tmp_path, line("1"), line("1", quantity="x"), line("2")))
    assert [receipt.invoice for receipt in invoices.receipts] == ["2"]
    assert "line 3 of the same invoice" in reasons_of(invoices)[2]
    assert "quantity 'x'" in reasons_of(invoices)[3]


def test_a_row_without_a_readable_invoice_costs_no_other(tmp_path: Path) -> None:
    invoices = invoices_of(csv_file(tmp_path, line("1"), line(""), line("1")))
    assert [receipt.rows for receipt in invoices.receipts] == [(2, 4)]
    assert reasons_of(invoices) == {3: "invoice is empty"}


def test_more_rows_than_a_receipt_has_lines_are_refused(tmp_path: Path) -> None:
    invoices = invoices_of(csv_file(tmp_path, *[line("1")] * (LINES_MAX + 1), *[line("2")] * LINES_MAX))
    assert [receipt.invoice for receipt in invoices.receipts] == ["2"]
    assert len(invoices.rejects) == LINES_MAX + 1


def test_texts_that_no_call_could_carry_are_refused(tmp_path: Path) -> None:
    long = f"1,A,{'x' * 100_000},1,2011-01-31,1,m,UK"
    invoices = invoices_of(csv_file(tmp_path, *[long] * 10, line("2")))
    assert [receipt.invoice for receipt in invoices.receipts] == ["2"]
    assert "too long" in reasons_of(invoices)[2]


def test_a_limit_keeps_the_first_invoices_with_all_their_rows(tmp_path: Path) -> None:
    path = csv_file(tmp_path, line("1"), line("2", quantity="0"), line("3"), line("1", sku="B"))
    invoices = invoices_of(path, limit=2)
    assert [receipt.rows for receipt in invoices.receipts] == [(2, 5)]
    assert set(reasons_of(invoices)) == {3}


def test_a_file_beyond_the_limit_of_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "ROWS_MAX", 2)
    assert len(invoices_of(csv_file(tmp_path, line("1"), line("2"))).receipts) == 2
    with pytest.raises(FileUnreadable, match="split it"):
        invoices_of(csv_file(tmp_path, line("1"), line("2"), line("3")))


LINES = st.builds(
    line,
    invoice=st.sampled_from(["1", "2", "C3", "C4", ""]),
    sku=st.sampled_from(["A", "B", ""]),
    quantity=st.sampled_from(["1", "2", "-1", "0", "x"]),
    price=st.sampled_from(["0", "0.5", "2", "-1"]),
    member=st.sampled_from(["m", "n", ""]),
)


@given(st.lists(LINES, max_size=12), st.sampled_from(["C", ""]))
def test_every_row_is_in_exactly_one_receipt_or_reject(lines: list[str], prefix: str) -> None:
    with TemporaryDirectory() as folder:
        invoices = invoices_of(csv_file(Path(folder), *lines), prefix)
    taken = [row for receipt in invoices.receipts for row in receipt.rows]
    skipped = [reject.line for reject in invoices.rejects]
    assert sorted(taken + skipped) == list(range(2, 2 + len(lines)))
    assert all(len(receipt.rows) == len(receipt.basket.lines) for receipt in invoices.receipts)
