"""Which sale a cancellation takes back: the latest earlier one of the customer that covers every line of it."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.replay.linking import Step, link_cancellations
from tests.unit.terminal_agent.replay.files import csv_file, invoices_of, line


def steps(folder: Path, *lines: str) -> list[Step]:
    return list(link_cancellations(invoices_of(csv_file(folder, *lines)).receipts))


def links(folder: Path, *lines: str) -> dict[str, tuple[str, dict[int, Decimal]] | None]:
    """The original and returned lines of each cancellation; None for one that was not linked."""
    found = {}
    for step in steps(folder, *lines):
        if step.receipt.cancellation:
            back = {part.line: part.quantity for part in step.lines or ()}
            found[step.receipt.invoice] = None if step.original is None else (step.original.invoice, back)
    return found


def test_a_cancellation_is_linked_to_the_latest_earlier_sale(tmp_path: Path) -> None:
    found = links(tmp_path, line("1"), line("2"), line("C3", quantity="-1"), line("4"))
    assert found == {"C3": ("2", {1: Decimal(1)})}


def test_only_unreturned_quantity_counts(tmp_path: Path) -> None:
    found = links(
        tmp_path,
        line("1", quantity="3"),
        line("2", quantity="2"),
        line("C3", quantity="-2"),
        line("C4", quantity="-2"),
        line("C5", quantity="-2"),
        line("C6", quantity="-1"),
    )
    assert found == {
        "C3": ("2", {1: Decimal(2)}),
        "C4": ("1", {1: Decimal(2)}),
        "C5": None,
        "C6": ("1", {1: Decimal(1)}),
    }


def test_every_line_must_find_code_and_price_in_the_one_sale(tmp_path: Path) -> None:
    sale = [line("1", sku="A", price="2"), line("1", sku="B", price="3"), line("2", sku="B", price="3")]
    assert links(tmp_path, *sale, line("C3", sku="A", price="2", quantity="-1"), line("C3", "B", "-1", "3")) == {
        "C3": ("1", {1: Decimal(1), 2: Decimal(1)})
    }
    assert links(tmp_path, *sale, line("C3", "A", "-1", "2"), line("C3", "B", "-2", "3")) == {"C3": None}
    assert links(tmp_path, *sale, line("C3", "A", "-1", "2.01")) == {"C3": None}


def test_a_code_on_several_lines_is_taken_from_the_first_ones(tmp_path: Path) -> None:
    sale = [line("1", quantity="2"), line("1", sku="B"), line("1", quantity="3")]
    assert links(tmp_path, *sale, line("C2", quantity="-4")) == {"C2": ("1", {1: Decimal(2), 3: Decimal(2)})}
    assert links(tmp_path, *sale, line("C2", quantity="-2"), line("C2", quantity="-3")) == {
        "C2": ("1", {1: Decimal(2), 3: Decimal(3)})
    }


def test_nobody_and_somebody_else_have_no_sale_to_take_back(tmp_path: Path) -> None:
    found = links(
        tmp_path, line("1", member=""), line("2", member="n"), line("C3", "A", "-1", member=""), line("C4", "A", "-1")
    )
    assert found == {"C3": None, "C4": None}


def test_a_later_sale_is_not_taken_back(tmp_path: Path) -> None:
    assert links(tmp_path, line("C1", quantity="-1"), line("2")) == {"C1": None}
    later = line("2", date="2011-02-01 09:00:00")
    assert links(tmp_path, later, line("C1", quantity="-1", date="2011-01-01 09:00:00")) == {"C1": None}


def test_an_article_handed_back_in_exchange_cannot_come_back_again(tmp_path: Path) -> None:
    sale = [line("1", sku="B", price="9"), line("1", sku="A", quantity="-1")]
    assert links(tmp_path, *sale, line("C2", sku="A", quantity="-1")) == {"C2": None}


# Sales first and few kinds of lines, so that many cancellations find a sale.
SALES = st.builds(line, invoice=st.sampled_from(["1", "2"]), sku=st.sampled_from("AB"), quantity=st.sampled_from("123"))
CANCELLATIONS = st.builds(
    line, invoice=st.sampled_from(["C3", "C4", "C5"]), sku=st.sampled_from("AB"), quantity=st.sampled_from(["-1", "-2"])
)


@given(st.lists(SALES, min_size=1, max_size=5), st.lists(CANCELLATIONS, max_size=5))
def test_never_more_comes_back_than_was_sold(sales: list[str], cancellations: list[str]) -> None:
    with TemporaryDirectory() as folder:
        found = steps(Path(folder), *sales, *cancellations)
    back: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for step in found:
        for part in step.lines or ():
            assert step.original is not None
            back[step.original.invoice, part.line] += part.quantity
    sold = {
        (step.receipt.invoice, number): item.quantity
        for step in found
        for number, item in enumerate(step.receipt.basket.lines, start=1)
        if not step.receipt.cancellation
    }
    assert all(quantity <= sold[place] for place, quantity in back.items())
    assert all(
        sum(part.quantity for part in step.lines or ()) == sum(item.quantity for item in step.receipt.basket.lines)
        for step in found
        if step.original is not None
    )
