"""Whatever bytes an authentic terminal sends, they are stored and hold nothing back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.support.databases import Place
from tests.support.terminal import basket_of, grant_use
from tests.unit.central_api.support import World, new_world, outcome_of, prove

HOSTILE = [
    b"",
    b"null",
    b"[" * 100_000,
    b'{"\\ud800":1}',
    b'{"\\u0000":1}',
    b"\xff\xfe",
    b'{"id":"\\ud800"}',
    b'{"v":1e400}',
    b'{"v":1,"v":1}',
]


@pytest.mark.parametrize("data", HOSTILE)
def test_hostile_bytes_are_quarantined(world: World, data: bytes) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.record_bytes(data)
    sale = till.sale(basket_of(1000), member)
    outcomes = world.deliver(till)
    assert outcomes[0].outcome == "quarantined"
    assert outcome_of(outcomes, sale)[0] == "applied"


@pytest.mark.parametrize(
    "old_new",
    [
        (b'"occurred_at":"2026', b'"occurred_at":"0001'),
        (b'+00:00","central_time_seen"', b'+14:00","central_time_seen"'),
        (b'"occurred_at":"2026', b'"occurred_at":"9999'),
        (b'"points_earned":10', b'"points_earned":9007199254740991'),
        (b'"kind":"sale"', b'"kind":"release"'),
        (b'"number":"1"', b'"number":"\\u0000"'),
        (b'"member_id":"', b'"member_id":"\\u0000'),
    ],
)
def test_readable_nonsense_holds_nothing_back(world: World, old_new: tuple[bytes, bytes]) -> None:
    member, till = world.member("1"), world.terminal(1)
    odd = till.sale(basket_of(1000), member)
    till.recorded.pop()
    assert old_new[0] in odd.data
    till.record_bytes(odd.data.replace(*old_new))
    sale = till.sale(basket_of(1000), member)
    assert outcome_of(world.deliver(till), sale)[0] == "applied"


def test_any_bytes_are_stored(place: Place) -> None:
    def law(data: bytes) -> None:
        with new_world(place) as world:
            till = world.terminal(1)
            till.record_bytes(data)
            assert world.upload(till).watermark == 2

    one_line = st.binary(max_size=60).filter(lambda data: b"\n" not in data and not data.startswith(b'{"attachment":'))
    prove(place, law, data=one_line)


ODD_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["\0", "a\0b", "\ud800", "x" * 5_000, "", "é", 0, -1, 2**31, 2**53 - 1, 2**63, None, []]
)


def test_no_value_of_any_field_holds_the_queue_back(place: Place) -> None:
    def law(kind: int, which: int, value: Any) -> None:
        with new_world(place) as world:
            member, till = world.member("1"), world.terminal(1)
            till.sale(basket_of(20_000), member)
            world.deliver(till)
            grant = world.granted(till, member, 100)
            sale = till.sale(basket_of(1000), member, redemption=till.redemption(), uses=[grant_use(grant, 100)])
            if kind == 1:
                till.linked_return(sale)
            elif kind == 2:
                till.close_grant(grant, 0)
            odd = json.loads(till.recorded.pop().data)
            places = list(leaves(odd))
            *way, last = places[which % len(places)]
            parent = odd
            for step in way:
                parent = parent[step]
            parent[last] = value
            till.record_bytes(json.dumps(odd, separators=(",", ":")).encode())
            after = till.sale(basket_of(1000), member)
            assert outcome_of(world.deliver(till), after)[0] == "applied"
            world.check_laws(member)

    prove(place, law, kind=st.integers(0, 2), which=st.integers(0, 40), value=ODD_VALUES)


def leaves(content: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value that holds no others."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        yield from leaves(value, (*way, key))
    if way and not isinstance(content, (dict, list)):
        yield way
