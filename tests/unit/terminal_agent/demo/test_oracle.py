"""The oracle against the rules of the SDK, and by itself."""

import ast
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.codec import dumps
from loyalty_sdk.model import ReceiptKey, ReturnLine
from loyalty_sdk.programme import Programme
from loyalty_sdk.rules import points_earned, points_returned
from terminal_agent.demo import oracle
from terminal_agent.demo.acknowledged import reversal_line, sale_line
from tests.unit.terminal_agent.demo.baskets import baskets, discounts, programmes, returned_quantities

PROGRAMME = {
    "format": "loyalty-programme-1",
    "name": "Clube",
    "version": 1,
    "currency": "EUR",
    "earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}],
    "rewards": [{"id": "off", "points": 3, "discount_minor": 500}],
}
BASKET = Basket.of("EUR", Line.of("BREAD", 250, 4), Line.of("MILK", 100, 5))


def key(number: int) -> ReceiptKey:
    return ReceiptKey(store="s", register="1", business_date=date(2026, 5, 1), number=str(number))


def wire(value: Any) -> Any:
    return json.loads(dumps(value))


def balance(programme: Any, *lines: Any) -> int:
    return oracle.reckon(wire(list(lines)), wire(programme)).balances["A"]


@given(data=st.data(), programme=programmes(), basket=baskets())
def test_a_sale_is_worth_what_the_rules_say(data: st.DataObject, programme: Programme, basket: Basket) -> None:
    count = data.draw(discounts(basket))
    sale = sale_line(key(1), basket, member="A", reward=("off", count) if count else None)
    earned = points_earned(programme, basket, 100 * count)
    assert balance(programme, sale) == earned - count * programme.rewards[0].points


@given(data=st.data(), programme=programmes(), basket=baskets())
def test_a_partial_return_is_worth_what_the_rules_say(
    data: st.DataObject, programme: Programme, basket: Basket
) -> None:
    count = data.draw(discounts(basket))
    parts = data.draw(returned_quantities(basket))
    redeemed = count * programme.rewards[0].points
    sale = sale_line(key(1), basket, member="A", reward=("off", count) if count else None)
    lines = [ReturnLine(line=number, quantity=quantity) for number, quantity in parts.items()]
    back = reversal_line(key(2), "return", original=key(1), lines=lines)
    net = points_returned(programme, basket, 100 * count, redeemed, parts)
    earned = points_earned(programme, basket, 100 * count)
    assert balance(programme, sale, back) == earned - redeemed - net.debited + net.credited


@given(data=st.data(), programme=programmes(), basket=baskets())
def test_a_full_return_nets_zero_however_it_is_cut(data: st.DataObject, programme: Programme, basket: Basket) -> None:
    count = data.draw(discounts(basket))
    parts = data.draw(returned_quantities(basket))
    sale = sale_line(key(1), basket, member="A", reward=("off", count) if count else None)
    lines = [ReturnLine(line=number, quantity=quantity) for number, quantity in parts.items()]
    part = reversal_line(key(2), "return", original=key(1), lines=lines)
    rest = reversal_line(key(3), "return", original=key(1))
    assert balance(programme, sale, part, rest) == 0
    assert balance(programme, sale, reversal_line(key(4), "void", original=key(1))) == 0


@given(data=st.data(), programme=programmes(), basket=baskets())
def test_the_rules_give_back_the_whole_of_a_full_return(
    data: st.DataObject, programme: Programme, basket: Basket
) -> None:
    count = data.draw(discounts(basket))
    redeemed = count * programme.rewards[0].points
    whole = {number: line.quantity for number, line in enumerate(basket.lines, start=1)}
    back = points_returned(programme, basket, 100 * count, redeemed, whole)
    assert (back.debited, back.credited) == (points_earned(programme, basket, 100 * count), redeemed)


@given(programme=programmes(), basket=baskets())
def test_an_unlinked_return_takes_back_what_its_basket_gives(programme: Programme, basket: Basket) -> None:
    back = reversal_line(key(1), "unlinked_return", member="A", basket=basket)
    assert balance(programme, back) == -points_earned(programme, basket)


def test_it_counts_what_it_reads() -> None:
    lines = [
        sale_line(key(1), BASKET, member="A"),
        sale_line(key(2), BASKET),
        sale_line(key(3), BASKET, member="A", reward=("off", 1)),
        reversal_line(key(4), "void", original=key(3)),
        reversal_line(key(5), "return", original=key(1), lines=[ReturnLine(line=1, quantity=Decimal(2))]),
        reversal_line(key(6), "unlinked_return", member="B", basket=BASKET),
    ]
    found = oracle.reckon(wire(lines), PROGRAMME)
    assert found.balances == {"A": 10, "B": -15}
    assert (found.points_issued, found.points_redeemed) == (-5, 0)
    assert (found.sales, found.anonymous_sales, found.redemptions) == (3, 1, 1)
    assert (found.returns, found.voids) == (2, 1)


@pytest.mark.parametrize(
    "line",
    [
        sale_line(key(1), BASKET, member="A"),
        reversal_line(key(2), "void", original=key(9)),
        reversal_line(key(2), "return", original=key(1), lines=[ReturnLine(line=1, quantity=Decimal(5))]),
        reversal_line(key(2), "return", original=key(1), lines=[ReturnLine(line=3, quantity=Decimal(1))]),
        sale_line(key(2), BASKET, member="A", reward=("unheard-of", 1)),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(line: Any) -> None:
    with pytest.raises(ValueError, match=r"receipt|return|reversal|reward"):
        oracle.reckon(wire([sale_line(key(1), BASKET, member="A"), line]), PROGRAMME)


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)


def test_it_runs_by_itself(tmp_path: Path) -> None:
    listed, programme = tmp_path / "acknowledged.jsonl", tmp_path / "programme.json"
    listed.write_bytes(dumps(sale_line(key(1), BASKET, member="A")) + b'\n{"kind":"sale","rec')
    programme.write_text(json.dumps(PROGRAMME))
    # -I and -S: neither this repository nor any installed package is within its reach.
    command = [sys.executable, "-I", "-S", oracle.__file__, str(listed), str(programme)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["balances"] == {"A": 15}


def test_it_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert oracle.main([str(tmp_path / "missing"), str(tmp_path / "missing")]) == 1
    assert "missing" in capsys.readouterr().err
