"""The oracle: what every member must have, worked out from the POS's own list and the programme document alone.

Standard library only and nothing of the project, so that it judges the rest without sharing its mistakes. It follows
docs/programme.md from the baskets; points that an agent or central answered are never read. It knows no terminals,
grants or outages: what happened to a receipt on its way must not change what it is worth.

    python oracle.py ACKNOWLEDGED.jsonl PROGRAMME.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

__all__ = ["Reckoning", "main", "read_lines", "reckon", "reckon_files"]

Json = dict[str, Any]
# What came back of a sale: line number from 1 → quantity.
Returned = Mapping[int, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """What follows from the list.

    `balances` maps an alias to its net points (available + reserved − owed). `points_issued` is what was earned less
    what reversals took back, `points_redeemed` what was redeemed less what they gave back: the balances sum to the
    difference. Points of customers without a card are in neither.
    """

    balances: dict[str, int]
    points_issued: int
    points_redeemed: int
    sales: int
    anonymous_sales: int
    returns: int
    voids: int
    redemptions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worth:
    """What one receipt does to its member: points issued and redeemed, negative where a return undoes more."""

    issued: int
    redeemed: int = 0


def read_lines(path: Path) -> list[Json]:
    """Read a list of JSON lines. A last line without its line feed was never acknowledged and is left out."""
    text = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in text.splitlines() if line]


def reckon_files(acknowledged: Path, programme: Path) -> Reckoning:
    """Reckon from files. Raises OSError, or ValueError for a list that contradicts itself."""
    return reckon(read_lines(acknowledged), json.loads(programme.read_bytes()))


def reckon(lines: Iterable[Json], programme: Json) -> Reckoning:
    """Work out the balances. Raises ValueError where the list names a receipt twice or returns more than was sold."""
    listed = list(lines)
    _check_unique(listed)
    sales = {line["receipt"]: line for line in listed if line["kind"] == "sale"}
    reversals = [line for line in listed if line["kind"] == "reversal"]
    came_back = _came_back(sales, reversals)
    worths = [(sale["member"], _sale(programme, sale, came_back[receipt])) for receipt, sale in sales.items()]
    worths += [(line["member"], _unlinked(programme, line)) for line in reversals if _is_unlinked(line)]
    counts = Counter(line["reversal"] for line in reversals)
    of_members = [worth for member, worth in worths if member is not None]
    return Reckoning(
        balances=_balances(worths),
        points_issued=sum(worth.issued for worth in of_members),
        points_redeemed=sum(worth.redeemed for worth in of_members),
        sales=len(sales),
        anonymous_sales=sum(sale["member"] is None for sale in sales.values()),
        returns=counts["return"] + counts["unlinked_return"],
        voids=counts["void"],
        redemptions=sum(sale["reward"] is not None for sale in sales.values()),
    )


def _check_unique(lines: list[Json]) -> None:
    for receipt, times in Counter(line["receipt"] for line in lines).items():
        if times > 1:
            raise ValueError(f"receipt {receipt} stands {times} times in the list; the POS lists each receipt once")


def _balances(worths: Iterable[tuple[str | None, _Worth]]) -> dict[str, int]:
    balances: dict[str, int] = defaultdict(int)
    for member, worth in worths:
        if member is not None:
            balances[member] += worth.issued - worth.redeemed
    return dict(balances)


# --- what came back ---------------------------------------------------------------------------------------------------


def _is_unlinked(reversal: Json) -> bool:
    return bool(reversal["reversal"] == "unlinked_return")


def _came_back(sales: Mapping[str, Json], reversals: Iterable[Json]) -> dict[str, dict[int, Fraction]]:
    """What came back of every sale in all. The parts of a return sum to the whole, so their order does not matter."""
    came_back: dict[str, dict[int, Fraction]] = {receipt: {} for receipt in sales}
    for reversal in reversals:
        if not _is_unlinked(reversal):
            original = reversal["original"]
            if original not in sales:
                raise ValueError(f"reversal {reversal['receipt']} names {original}, which the list does not hold")
            _bring_back(sales[original], reversal, came_back[original])
    return came_back


def _bring_back(sale: Json, reversal: Json, came_back: dict[int, Fraction]) -> None:
    """Add one reversal to what came back of its sale; a void, and a return that names no lines, brings all the rest."""
    sold = {number: Fraction(line["quantity"]) for number, line in enumerate(sale["basket"]["lines"], start=1)}
    if reversal["lines"] is None:
        came_back.update(sold)
        return
    for part in reversal["lines"]:
        number = part["line"]
        quantity = came_back.get(number, Fraction(0)) + Fraction(part["quantity"])
        if quantity > sold.get(number, Fraction(0)):
            raise ValueError(f"return {reversal['receipt']} brings back more of line {number} than was sold")
        came_back[number] = quantity


# --- what receipts are worth ------------------------------------------------------------------------------------------


def _sale(programme: Json, sale: Json, came_back: Returned) -> _Worth:
    """A sale less everything that came back: it issues what the rules give for what the customer keeps."""
    points, discount = _reward(programme, sale["reward"])
    kept = _kept_lines(programme, sale["basket"], discount, came_back)
    return _Worth(issued=_earned(programme, kept), redeemed=points - _given_back(sale["basket"], points, came_back))


def _unlinked(programme: Json, reversal: Json) -> _Worth:
    """An unlinked return takes back what the rules give for its own basket and gives nothing back."""
    return _Worth(issued=-_earned(programme, _kept_lines(programme, reversal["basket"], 0, {})))


def _reward(programme: Json, chosen: Json | None) -> tuple[int, int]:
    """The points and the discount of a redeemed reward."""
    if chosen is None:
        return 0, 0
    for reward in programme.get("rewards", ()):
        if reward["id"] == chosen["id"]:
            return reward["points"] * chosen["count"], reward["discount_minor"] * chosen["count"]
    raise ValueError(f"the programme has no reward {chosen['id']!r}")


def _kept_lines(programme: Json, basket: Json, discount: int, came_back: Returned) -> list[Json]:
    """The lines as they earn: the quantity that is left, and the part of its net amount that goes with it."""
    if programme.get("earning_basis", "paid") == "gross":
        discount = 0
    kept, running, total = [], 0, _positive_total(basket)
    for number, line in enumerate(basket["lines"], start=1):
        share_before = discount * running // total if total else 0
        running += max(line["amount_minor"], 0)
        share = (discount * running // total if total else 0) - share_before
        sold = Fraction(line["quantity"])
        left = sold - came_back.get(number, 0)
        kept.append({**line, "left": left, "amount": _floor((line["amount_minor"] - share) * left / sold)})
    return kept


def _given_back(basket: Json, points: int, came_back: Returned) -> int:
    """The redeemed points that are given back: their share of the positive amount that came back, rounded down."""
    amount = 0
    for number, line in enumerate(basket["lines"], start=1):
        if number in came_back and line["amount_minor"] > 0:
            sold = Fraction(line["quantity"])
            amount += line["amount_minor"] - _floor(line["amount_minor"] * (sold - came_back[number]) / sold)
    return points * amount // _positive_total(basket) if amount else 0


def _positive_total(basket: Json) -> int:
    return sum(line["amount_minor"] for line in basket["lines"] if line["amount_minor"] > 0)


# --- the earning rules ------------------------------------------------------------------------------------------------


def _earned(programme: Json, lines: list[Json]) -> int:
    return sum(_by_rule(rule, [line for line in lines if _counts(rule, line)]) for rule in programme.get("earning", ()))


def _counts(rule: Json, line: Json) -> bool:
    included, excluded = rule.get("included"), rule.get("excluded")
    return (included is None or _matches(included, line)) and not (excluded is not None and _matches(excluded, line))


def _matches(selection: Json, line: Json) -> bool:
    return line["sku"] in selection.get("skus", ()) or line.get("category", "") in selection.get("categories", ())


def _by_rule(rule: Json, lines: list[Json]) -> int:
    if sum(line["amount"] for line in lines) < rule.get("minimum_spend_minor", 0):
        return 0
    steps = [line["left"] if rule["kind"] == "item" else Fraction(line["amount"], rule["per_minor"]) for line in lines]
    rounding = {"mode": "floor", "scope": "basket", "unit": "point"} | rule.get("rounding", {})
    groups = steps if rounding["scope"] == "line" else [sum(steps, Fraction(0))]
    rounded, worth = _ROUND[rounding["mode"]], int(rule["points"])
    if rounding["unit"] == "step":
        return max(0, sum(rounded(group) * worth for group in groups))
    return max(0, sum(rounded(group * worth) for group in groups))


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _half_up(value: Fraction) -> int:
    """The nearest integer; halves go towards positive infinity."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _half_even(value: Fraction) -> int:
    below, above = _half_up(value) - 1, _half_up(value)
    is_half = 2 * (value - below) == 1
    return below if is_half and above % 2 else above


_ROUND: dict[str, Callable[[Fraction], int]] = {
    "floor": _floor,
    "ceiling": _ceiling,
    "half_up": _half_up,
    "half_even": _half_even,
}


# --- by itself --------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Print the reckoning as JSON. Returns 0, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(description="Work out every balance from the POS's list and the programme.")
    parser.add_argument("acknowledged", type=Path, metavar="ACKNOWLEDGED.jsonl")
    parser.add_argument("programme", type=Path, metavar="PROGRAMME.json")
    paths = parser.parse_args(arguments)
    try:
        reckoning = reckon_files(paths.acknowledged, paths.programme)
    except (OSError, ValueError, KeyError) as error:
        print(f"oracle: cannot reckon from {paths.acknowledged} and {paths.programme}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(reckoning), ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
