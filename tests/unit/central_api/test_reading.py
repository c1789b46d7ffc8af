"""Whatever bytes an authentic terminal sends, they are stored and hold nothing back."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.terminal import basket_of
from tests.unit.central_api.support import World, new_world, outcome_of

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


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=60).filter(lambda data: b"\n" not in data and not data.startswith(b'{"attachment":')))
def test_any_bytes_are_stored(data: bytes) -> None:
    with new_world() as world:
        till = world.terminal(1)
        till.record_bytes(data)
        assert world.upload(till).watermark == 2
