"""Holds: earmarking, the caps of offline redemption one by one, releasing, and what is open after a crash."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loyalty_sdk.envelope import ReleaseBody
from loyalty_sdk.errors import (
    Conflict,
    HoldNotOpen,
    HoldUnknown,
    InsufficientPoints,
    OfflineCapExceeded,
    RewardUnavailable,
)
from sync.answers import StoreAcknowledgement, StoreChanges
from sync.holds import CreateHold, open_holds
from tests.support.terminal_memory import MEMBER, REWARD, TerminalMemory, basket_of


def redeeming(offline: dict[str, int] | None = None) -> TerminalMemory:
    """A terminal with a member of 1000 points, 600 of them set aside here in two grants."""
    memory = TerminalMemory() if offline is None else TerminalMemory(offline=TerminalMemory().offline | offline)
    memory.store_programme()
    memory.know(1_000, memory.grant(400), memory.grant(200))
    return memory


def test_a_hold_earmarks_and_is_a_row_not_an_entry() -> None:
    memory = redeeming()
    hold = memory.hold(2)
    assert (hold.points, hold.discount_minor, hold.member_id, hold.reward_id) == (200, 1_000, MEMBER, REWARD)
    assert memory.grant_row("grant-1").held == 200
    assert len(memory.entries()) == 1


def test_a_hold_is_idempotent_by_its_redemption_id() -> None:
    memory = redeeming()
    hold = memory.hold(redemption_id="redemption-1")
    assert memory.hold(redemption_id="redemption-1") == hold
    assert memory.hold(redemption_id="redemption-1", online=False) == hold
    assert memory.grant_row("grant-1").held == 100
    with pytest.raises(Conflict, match="make a new one"):
        memory.hold(2, redemption_id="redemption-1")
    memory.release(hold)
    with pytest.raises(HoldNotOpen, match="already released"):
        memory.hold(redemption_id="redemption-1")


def test_a_hold_takes_several_grants_and_the_earliest_to_end_first() -> None:
    memory = TerminalMemory()
    memory.store_programme()
    memory.know(1_000, memory.grant(150, hours=50), memory.grant(100, hours=20))
    memory.hold(2)
    assert (memory.grant_row("grant-2").held, memory.grant_row("grant-1").held) == (100, 100)


def test_a_hold_takes_the_grant_that_was_issued_for_it_first() -> None:
    memory = TerminalMemory()
    memory.store_programme()
    memory.know(1_000, memory.grant(100, hours=1), memory.grant(100, redemption_id="redemption-1"))
    memory.hold(redemption_id="redemption-1")
    assert (memory.grant_row("grant-1").held, memory.grant_row("grant-2").held) == (0, 100)


def test_too_few_points_set_aside_refuse_the_hold_and_hold_nothing() -> None:
    memory = TerminalMemory()
    memory.store_programme()
    memory.know(1_000, memory.grant(150))
    for online, remedy in ((True, "too few"), (False, "when central can be reached")):
        with pytest.raises(InsufficientPoints, match=remedy):
            memory.hold(2, online=online)
    assert memory.grant_row("grant-1").held == 0
    assert memory.scalar("SELECT count(*) FROM holds") == 0


def test_rewards_that_cannot_be_had_are_refused() -> None:
    memory = redeeming()
    with pytest.raises(RewardUnavailable, match="no reward free-car"):
        memory.hold(reward_id="free-car")
    with pytest.raises(RewardUnavailable, match="3 times, not 4"):
        memory.hold(4)
    with pytest.raises(RewardUnavailable, match="smaller than the discount"):
        memory.hold(basket=basket_of(100))
    with pytest.raises(RewardUnavailable, match="not known here"):
        memory.hold(member_id="a stranger")
    memory.know(99, revision=2)
    with pytest.raises(InsufficientPoints, match="100 points are needed, 99 are there"):
        memory.hold()


def test_without_a_programme_nothing_is_redeemed() -> None:
    memory = TerminalMemory()
    memory.know(1_000, memory.grant(400))
    with pytest.raises(RewardUnavailable):
        memory.hold()


# The caps of offline redemption


def test_cap_points_per_sale() -> None:
    memory = redeeming({"points_per_sale_max": 100})
    with pytest.raises(OfflineCapExceeded, match="at most 100 points"):
        memory.hold(2, online=False)
    memory.hold(1, online=False)
    memory.hold(2, online=True)


def test_cap_points_per_member() -> None:
    memory = redeeming({"points_per_member_max": 200})
    memory.hold(2, online=False)
    with pytest.raises(OfflineCapExceeded, match="200 points"):
        memory.hold(1, online=False)
    memory.hold(1, online=True)


def test_cap_redemptions_per_member() -> None:
    memory = redeeming({"redemptions_per_member_max": 2})
    memory.hold(online=False)
    memory.redeem(memory.hold(online=False))
    with pytest.raises(OfflineCapExceeded, match="in 2 redemptions"):
        memory.hold(online=False)


def test_the_caps_count_each_member_apart_and_no_released_hold() -> None:
    memory = redeeming({"redemptions_per_member_max": 1})
    memory.know(1_000, memory.grant(100, member_id="member-2"), member_id="member-2")
    memory.release(memory.hold(online=False))
    memory.hold(online=False)
    memory.hold(online=False, member_id="member-2")
    with pytest.raises(OfflineCapExceeded):
        memory.hold(online=False)


def test_the_count_begins_anew_with_each_contact() -> None:
    memory = redeeming({"redemptions_per_member_max": 1})
    memory.hold(online=False)
    with pytest.raises(OfflineCapExceeded):
        memory.hold(online=False)
    memory.clock.forward(seconds=1)
    memory.run(StoreAcknowledgement(answer=memory.acknowledgement(1)))
    memory.hold(online=False)


def test_cap_hours_since_contact() -> None:
    memory = redeeming({"hours_since_contact_max": 10})
    memory.clock.forward(hours=10)
    memory.hold(online=False)
    memory.clock.forward(milliseconds=1)
    with pytest.raises(OfflineCapExceeded, match="more than 10 hours ago"):
        memory.hold(online=False)
    memory.hold(online=True)


def test_law_10_a_clock_far_before_the_last_contact_redeems_nothing_offline() -> None:
    memory = redeeming({"hours_since_contact_max": 10})
    memory.clock.forward(hours=-11)
    with pytest.raises(OfflineCapExceeded):
        memory.hold(online=False)


def test_a_till_that_never_reached_central_redeems_nothing_offline() -> None:
    memory = redeeming()
    memory.run(lambda transaction: transaction.execute("DELETE FROM meta WHERE name = 'contact_at'"))
    with pytest.raises(OfflineCapExceeded, match="never reached central"):
        memory.hold(online=False)


def test_caps_of_zero_mean_none_offline() -> None:
    memory = redeeming({"points_per_sale_max": 0})
    with pytest.raises(OfflineCapExceeded):
        memory.hold(online=False)


# Releasing, and after a crash


def test_a_release_is_an_entry_and_the_same_again_changes_nothing() -> None:
    memory = redeeming()
    hold = memory.hold(2)
    assert memory.release(hold, "customer left") == hold
    assert memory.release(hold) == hold
    entry = memory.entries()[-1]
    assert entry.body == ReleaseBody(hold_id=hold.hold_id, member_id=MEMBER, reason="customer left")
    assert [(use.grant_id, use.points) for use in entry.grants] == [("grant-1", 200)]
    assert memory.grant_row("grant-1").held == 0
    assert len(memory.entries()) == 2


def test_what_cannot_be_released() -> None:
    memory = redeeming()
    with pytest.raises(HoldUnknown, match="open_holds"):
        memory.release("no such hold")
    hold = memory.hold()
    memory.redeem(hold)
    with pytest.raises(HoldNotOpen, match="reverse that sale"):
        memory.release(hold)


def test_a_hold_outlives_its_grant_s_end_and_close() -> None:
    memory = redeeming()
    honoured, released = memory.hold(2), memory.hold(1)
    memory.clock.forward(hours=200)
    memory.run(StoreChanges(page=memory.changes()))
    row = memory.grant_row("grant-1")
    assert (row.state, row.held, row.released) == ("closed", 300, 100)
    memory.redeem(honoured)
    memory.release(released)
    row = memory.grant_row("grant-1")
    assert (row.spent, row.held, row.released) == (200, 0, 200)


def test_open_holds_are_listed_by_register_oldest_first_after_a_crash(filed: TerminalMemory) -> None:
    filed.know(1_000, filed.grant(400))
    first = filed.hold()
    filed.clock.forward(seconds=1)
    second = filed.hold()
    other_lane = replace(filed.context, register="lane-2")
    filed.run(CreateHold(request=filed.hold_request(context=other_lane), online=True))
    filed.release(filed.hold())
    filed.reopen()
    with filed.store.reading() as connection:
        assert open_holds(connection, filed.context) == (first, second)
        assert len(open_holds(connection, other_lane)) == 1
