"""Hypothesis strategies for every class of the vocabulary, made from its annotations."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.codec import INTEGER_MAX
from loyalty_sdk.envelope import (
    ENVELOPE_VERSION,
    Entry,
    GrantClosedBody,
    GrantUse,
    JournalOpenedBody,
    ReleaseBody,
    ReversalBody,
    SaleBody,
)
from loyalty_sdk.local import ReceiptBlockRequest, ReportRequest, ReversalRequest
from loyalty_sdk.model import Context, ReceiptKey, ReturnLine
from loyalty_sdk.programme import EarningRule, Expiry, OfflineCaps, Pending, Programme, Reward, Rounding, Selection

BODIES = {
    "journal_opened": JournalOpenedBody,
    "sale": SaleBody,
    "reversal": ReversalBody,
    "release": ReleaseBody,
    "grant_closed": GrantClosedBody,
}

texts = st.text(max_size=12)
names = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12)
integers = st.integers(-INTEGER_MAX, INTEGER_MAX)
counts = st.integers(1, 1_000)
decimals = st.integers(-(10**17), 10**17).map(lambda millionths: Decimal(millionths).scaleb(-6))
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(timezones=offsets).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: integers,
    bool: st.booleans(),
    Decimal: decimals,
    date: st.dates(),
    datetime: times,
    bytes: st.binary(max_size=40),
}


@st.composite
def lines(draw: st.DrawFn, *, returned: bool = True) -> Line:
    """A line that adds up; with `returned` perhaps a negative quantity."""
    thousandths = draw(st.integers(1, 5_000))
    sign = draw(st.sampled_from((1, -1))) if returned else 1
    quantity = Decimal(sign * thousandths).scaleb(-3)
    price = Decimal(draw(st.integers(0, 50_000))).scaleb(-1)
    gross = quantity * price
    discount = sign * draw(st.integers(0, int(abs(gross))))
    return Line(
        sku=draw(st.sampled_from(("A", "B", "C")) | names),
        category=draw(st.sampled_from(("", "X", "Y"))),
        quantity=quantity,
        unit_price_minor=price,
        discount_minor=discount,
        amount_minor=int(gross - discount),
        description=draw(texts),
        tax_minor=draw(st.integers(0, 100)),
    )


@st.composite
def baskets(draw: st.DrawFn, *, returned: bool = True) -> Basket:
    """A basket whose total is not negative."""
    chosen = draw(st.lists(lines(returned=returned), min_size=1, max_size=6))
    include_tax = draw(st.booleans())
    tax = 0 if include_tax else sum(line.tax_minor for line in chosen)
    total = sum(line.amount_minor for line in chosen) + tax
    if total < 0:
        chosen.append(Line.of("MORE", -total))
        total = 0
    return Basket(currency="EUR", lines=tuple(chosen), total_minor=total, prices_include_tax=include_tax)


selections = st.builds(
    Selection,
    categories=st.lists(st.sampled_from(("X", "Y", "")), max_size=2).map(tuple),
    skus=st.lists(st.sampled_from(("A", "B", "C")), max_size=2).map(tuple),
)
roundings = st.builds(
    Rounding,
    mode=st.sampled_from(("floor", "ceiling", "half_up", "half_even")),
    scope=st.sampled_from(("basket", "line")),
    unit=st.sampled_from(("point", "step")),
)


@st.composite
def earning_rules(draw: st.DrawFn) -> EarningRule:
    """A rule of either kind; its id is for the caller to make unique."""
    kind: Any = draw(st.sampled_from(("amount", "item")))
    return EarningRule(
        id=draw(names),
        kind=kind,
        points=draw(st.integers(1, 20)),
        per_minor=draw(st.integers(1, 500)) if kind == "amount" else 0,
        minimum_spend_minor=draw(st.just(0) | st.integers(0, 5_000)),
        included=draw(st.none() | selections),
        excluded=draw(st.just(Selection()) | selections),
        rounding=draw(roundings),
    )


rewards = st.builds(
    Reward,
    id=names,
    points=counts,
    discount_minor=counts,
    minimum_spend_minor=st.integers(0, 5_000),
    count_per_sale_max=st.integers(1, 5),
    name=texts,
)
caps = st.integers(0, 1_000)
months = st.integers(1, 60)
expiries = st.builds(Expiry, months_after_earning=months) | st.builds(
    Expiry, on=st.sampled_from(("12-31", "06-30")), months_min=months, utc_offset=st.sampled_from(("+00:00", "-03:00"))
)


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """A programme whose rules have ids of their own."""
    return Programme(
        format="loyalty-programme-1",
        name=draw(texts),
        version=draw(counts),
        currency="EUR",
        earning_basis=draw(st.sampled_from(("paid", "gross"))),
        earning=tuple(draw(st.lists(earning_rules(), max_size=3, unique_by=lambda rule: rule.id))),
        rewards=tuple(draw(st.lists(rewards, max_size=2, unique_by=lambda reward: reward.id))),
        offline=draw(instances(OfflineCaps)),
        expiry=draw(st.none() | expiries),
        pending=draw(st.none() | instances(Pending)),
    )


@st.composite
def reversal_requests(draw: st.DrawFn) -> ReversalRequest:
    """A reversal of one of the three kinds with what belongs to it."""
    kind: Any = draw(st.sampled_from(("void", "return", "unlinked_return")))
    linked = kind != "unlinked_return"
    return ReversalRequest(
        context=draw(instances(Context)),
        receipt_number=draw(names),
        kind=kind,
        original=draw(instances(ReceiptKey)) if linked else None,
        lines=tuple(draw(st.lists(instances(ReturnLine), min_size=1, max_size=3))) if kind == "return" else None,
        basket=None if linked else draw(baskets()),
        member_id=None if linked else draw(st.none() | texts),
        occurred_at=draw(st.none() | times),
    )


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry whose body is that of its kind."""
    kind: Any = draw(st.sampled_from(sorted(BODIES)))
    return Entry(
        v=ENVELOPE_VERSION,
        terminal=draw(texts),
        journal=draw(texts),
        seq=draw(counts),
        id=draw(texts),
        kind=kind,
        occurred_at=draw(times),
        central_time_seen=draw(st.none() | times),
        receipt_key=draw(st.none() | instances(ReceiptKey)),
        programme_version=draw(st.none() | counts),
        snapshot_revision=draw(st.none() | counts),
        grants=tuple(draw(st.lists(instances(GrantUse), max_size=2))),
        attachment_hash=draw(st.none() | texts),
        body=draw(instances(BODIES[kind])),
    )


@cache
def instances(cls: Any) -> st.SearchStrategy[Any]:
    """Instances of a class of the vocabulary."""
    special: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        Line: lines,
        Basket: baskets,
        EarningRule: earning_rules,
        Expiry: lambda: expiries,
        Programme: programmes,
        ReversalRequest: reversal_requests,
        Entry: entries,
    }
    if cls in special:
        return special[cls]()
    hints = get_type_hints(cls)
    drawn = {field.name: _of(hints[field.name]) for field in fields(cls)}
    return st.builds(cls, **drawn | _narrowed(cls))


def _narrowed(cls: Any) -> dict[str, st.SearchStrategy[Any]]:
    """What a class asks of single fields beyond their types."""
    if cls in (Context, ReceiptKey):
        wanted = ("store", "register", "cashier", "number", "series")
        return {field.name: names for field in fields(cls) if field.name in wanted}
    if cls is OfflineCaps:
        return {field.name: caps for field in fields(cls)} | {"grant_hours": st.integers(1, 8_760)}
    if cls is Pending:
        return {"hours": st.integers(1, 672)}
    if cls is ReturnLine:
        return {"line": counts, "quantity": counts.map(Decimal)}
    if cls is Reward:
        return {"points": counts, "discount_minor": counts, "minimum_spend_minor": caps, "count_per_sale_max": counts}
    if cls is ReportRequest:
        return {"kind": st.just("z"), "number": st.none() | counts, "columns": st.integers(20, 80)}
    return {"columns": st.integers(20, 80)} if cls is ReceiptBlockRequest else {}


def _of(annotation: Any) -> st.SearchStrategy[Any]:
    known: Any = annotation
    if is_dataclass(annotation):
        return instances(known)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return st.none() | _of(next(argument for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_of(arguments[0]), max_size=3).map(tuple)
    return SCALARS[annotation]
