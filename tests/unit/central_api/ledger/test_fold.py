"""Laws 7 and 8 of the fold alone, against a model that walks from day to day and knows nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_api.ledger.fold import EVENTS_BETWEEN, Debit, Figures, Folded, Lot, fold

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 40


def day(number: int) -> datetime:
    return DAY_0 + timedelta(days=number)


LOTS = st.lists(
    st.builds(
        lambda points, available, life: (points, available, None if life is None else available + life),
        st.integers(0, 300),
        st.integers(0, DAYS),
        st.none() | st.integers(1, 15),
    ),
    max_size=8,
).map(lambda found: [Lot(f"lot-{n}", p, day(a), None if x is None else day(x)) for n, (p, a, x) in enumerate(found)])
DEBITS = st.lists(st.tuples(st.integers(1, 400), st.integers(0, DAYS), st.booleans()), max_size=8).map(
    lambda found: [Debit(f"debit-{n}", p, day(at), written_off) for n, (p, at, written_off) in enumerate(found)]
)


@dataclass
class Purse:
    """One lot of the model: a purse that is filled on a day and emptied on another."""

    left: int
    from_day: int
    until_day: int


def walked(lots: list[Lot], debits: list[Debit], last: int) -> Figures:
    """The model: every day in turn, all that happens on it, one point after the other."""
    never = 10**6
    purses = [
        Purse(lot.points, (lot.available_at - DAY_0).days, (lot.expires_at - DAY_0).days if lot.expires_at else never)
        for lot in lots
    ]
    expired = owed = written_off = 0
    for today in range(last + 1):
        for purse in purses:
            if purse.until_day == today:
                expired, purse.left = expired + purse.left, 0
        taken = [debit for debit in debits if debit.effective_at == day(today)]
        owed += sum(debit.points for debit in taken if not debit.is_write_off)
        while owed and (open_now := [one for one in purses if one.from_day <= today and one.left]):
            min(open_now, key=lambda one: (one.until_day, one.from_day)).left -= 1
            owed -= 1
        forgiven = min(owed, sum(debit.points for debit in taken if debit.is_write_off))
        owed, written_off = owed - forgiven, written_off + forgiven
    return Figures(
        available=sum(one.left for one in purses if one.from_day <= last),
        pending=sum(one.left for one in purses if one.from_day > last),
        owed=owed,
        expired=expired,
        written_off=written_off,
    )


@given(lots=LOTS, debits=DEBITS, last=st.integers(0, DAYS + 20))
def test_law_7_the_fold_is_what_a_walk_from_day_to_day_gives(lots: list[Lot], debits: list[Debit], last: int) -> None:
    assert fold(lots, debits, day(last)).figures == walked(lots, debits, last)


@given(lots=LOTS, debits=DEBITS, last=st.integers(0, DAYS + 20))
def test_law_8_points_are_conserved(lots: list[Lot], debits: list[Debit], last: int) -> None:
    found = fold(lots, debits, day(last)).figures
    given_points = sum(lot.points for lot in lots) + found.written_off
    taken = sum(debit.points for debit in debits if debit.effective_at <= day(last) and not debit.is_write_off)
    assert given_points == found.available + found.pending + found.expired + taken - found.owed
    assert min(found) >= 0
    assert not (found.available and found.owed)


@given(lots=LOTS, debits=DEBITS, last=st.integers(0, DAYS + 20), randomly=st.randoms(use_true_random=False))
def test_law_7_the_order_of_the_facts_does_not_matter(
    lots: list[Lot], debits: list[Debit], last: int, randomly: Any
) -> None:
    before = fold(lots, debits, day(last))
    randomly.shuffle(lots)
    randomly.shuffle(debits)
    after = fold(lots, debits, day(last))
    assert (after.figures, after.remaining, after.next_due_at) == (before.figures, before.remaining, before.next_due_at)


@given(lots=LOTS, debits=DEBITS, last=st.integers(0, DAYS))
def test_nothing_happens_before_what_is_due_next(lots: list[Lot], debits: list[Debit], last: int) -> None:
    """Where no debit comes between: time alone does nothing before `next_due_at`, and something then."""
    debits = [debit for debit in debits if debit.effective_at <= day(last)]
    found = fold(lots, debits, day(last))
    if found.next_due_at is None:
        assert fold(lots, debits, day(10_000)).figures == found.figures
        return
    assert found.next_due_at > day(last)
    assert fold(lots, debits, found.next_due_at - timedelta(milliseconds=1)).figures == found.figures
    assert fold(lots, debits, found.next_due_at).figures != found.figures


@given(lots=LOTS, debits=DEBITS, last=st.integers(0, DAYS + 20))
def test_what_passed_is_told_in_its_order_and_sums_to_what_expired(
    lots: list[Lot], debits: list[Debit], last: int
) -> None:
    found = fold(lots, debits, day(last))
    assert all(before.at <= after.at for before, after in pairwise(found.passed))
    dates = [one.at for one in found.passed if one.what == "expired"]
    assert dates == sorted(set(dates))
    assert sum(one.points for one in found.passed if one.what == "expired") == found.figures.expired
    matured = {one.lot_id for one in found.passed if one.what == "matured"}
    assert matured == {lot.lot_id for lot in lots if lot.points and lot.available_at <= day(last)}


@given(lots=LOTS, debits=DEBITS, last=st.integers(0, DAYS + 20), until=st.integers(0, DAYS + 20))
def test_law_7_a_fold_that_begins_at_a_standing_is_the_whole_fold(
    lots: list[Lot], debits: list[Debit], last: int, until: int
) -> None:
    """Whatever became known after the standing, as long as it is of later than that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("central_api.ledger.fold.EVENTS_BETWEEN", 2)
        before = [debit for debit in debits if debit.effective_at <= day(until)]
        left = fold([lot for lot in lots if lot.available_at <= day(until)], before, day(until)).standings
        whole = fold(lots, debits, day(last))
    for since in left:
        if since.at <= day(last):
            later = [lot for lot in lots if lot.available_at > since.at]
            found = fold(later, [debit for debit in debits if debit.effective_at > since.at], day(last), since)
            assert (found.figures, found.next_due_at) == (whole.figures, whole.next_due_at)
            assert {date: left for date, left in found.open.items() if left} == {
                date: left for date, left in whole.open.items() if left
            }
            assert [one for one in whole.passed if one.at > since.at] == found.passed


def test_a_standing_after_so_many_events_and_none_before() -> None:
    lots = [Lot(f"lot-{number}", 1, day(number)) for number in range(2 * EVENTS_BETWEEN + 1)]
    found = fold(lots, [], day(5_000)).standings
    assert [one.at for one in found] == [day(EVENTS_BETWEEN - 1), day(2 * EVENTS_BETWEEN - 1)]
    assert found[-1].open == ((None, 2 * EVENTS_BETWEEN),)
    assert fold(lots[:-3], [], day(5_000), found[0]).standings == []


def test_nothing_folds_to_nothing() -> None:
    assert fold([], [], DAY_0) == Folded()
    assert fold([], [], DAY_0).figures == Figures()


def test_at_the_same_instant_points_expire_before_they_can_be_taken() -> None:
    lots = [Lot("first", 100, day(0), day(5)), Lot("second", 100, day(5), day(9))]
    assert fold(lots, [Debit("taken", 100, day(5))], day(5)).remaining == {"first": 0, "second": 0}
    assert fold(lots, [Debit("taken", 100, day(5))], day(5)).figures == Figures(expired=100)
