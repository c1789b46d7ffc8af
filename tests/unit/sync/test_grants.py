"""Grants at the terminal, and the laws of holds and grants over any order of what can happen to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty_sdk.codec import CodecError
from loyalty_sdk.envelope import GrantClosedBody
from loyalty_sdk.errors import InsufficientPoints, RedemptionRefused
from loyalty_sdk.model import Hold, ReceiptKey, Sale
from loyalty_sdk.protocol import SignedDocument
from sync.answers import CloseGrants, StoreChanges
from sync.grants import free_points, store_grant
from sync.identity import SignatureRefused
from tests.support.terminal_memory import MEMBER, CentralKeys, TerminalMemory


def free(memory: TerminalMemory, member_id: str = MEMBER) -> int:
    with memory.store.reading() as connection:
        return free_points(connection, member_id, memory.clock.now)


def storing(signed: SignedDocument) -> Callable[..., None]:
    return lambda transaction: store_grant(transaction, signed)


def test_a_grant_of_central_is_kept_and_again_changes_nothing(memory: TerminalMemory) -> None:
    grant = memory.grant(300)
    memory.know(300, grant)
    memory.hold()
    memory.know(300, grant, revision=2)
    assert free(memory) == 200
    assert free(memory, "another") == 0


@pytest.mark.parametrize("change", [{"terminal": "till-2"}, {"tenant": "tenant-2"}])
def test_a_grant_for_another_terminal_is_refused(memory: TerminalMemory, change: dict[str, Any]) -> None:
    with pytest.raises(SignatureRefused, match="not for this one"):
        memory.run(storing(memory.grant(300, **change)))
    assert free(memory) == 0


def test_a_grant_that_another_key_signed_is_refused(memory: TerminalMemory) -> None:
    memory.keys = CentralKeys()
    with pytest.raises(SignatureRefused, match="not central's"):
        memory.run(storing(memory.grant(300)))


def test_a_programme_s_signature_is_no_grant_s(memory: TerminalMemory) -> None:
    document = memory.grant(300).document
    with pytest.raises(SignatureRefused):
        memory.run(storing(memory.keys.sign("programme", document)))


@pytest.mark.parametrize("points", [0, -5])
def test_a_grant_without_points_is_refused(memory: TerminalMemory, points: int) -> None:
    with pytest.raises(CodecError, match="1 or more"):
        memory.run(storing(memory.grant(points)))


def test_an_expired_grant_is_closed_by_entry(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300, hours=10))
    memory.hold()
    memory.clock.forward(hours=10)
    assert memory.run(CloseGrants()) == 0
    memory.clock.forward(seconds=1)
    assert free(memory) == 0
    assert memory.run(CloseGrants()) == 1
    assert memory.run(CloseGrants()) == 0
    body = GrantClosedBody(grant_id="grant-1", member_id=MEMBER, points=200, reason="expired")
    assert memory.entries()[-1].body == body


def test_a_recalled_grant_holds_nothing_more_and_is_closed(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300))
    memory.run(StoreChanges(page=memory.changes(grants_recalled=("grant-1", "unknown"))))
    body = GrantClosedBody(grant_id="grant-1", member_id=MEMBER, points=300, reason="recalled")
    assert memory.entries()[-1].body == body
    with pytest.raises(InsufficientPoints):
        memory.hold()


def test_a_closed_grant_that_arrives_again_stays_closed(memory: TerminalMemory) -> None:
    grant = memory.grant(300)
    memory.know(300, grant)
    memory.run(StoreChanges(page=memory.changes(grants_recalled=("grant-1",))))
    memory.know(300, grant, revision=2)
    assert free(memory) == 0


def test_closing_is_bounded_and_goes_on_next_time(memory: TerminalMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.grants.CLOSED_AT_ONCE_MAX", 2)
    memory.know(300, *(memory.grant(10, hours=1) for _ in range(5)))
    memory.clock.forward(hours=2)
    assert [memory.run(CloseGrants()) for _ in range(4)] == [2, 2, 1, 0]


def test_law_10_a_clock_set_back_revives_no_grant_that_was_closed(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300, hours=10))
    memory.clock.forward(hours=11)
    memory.run(CloseGrants())
    memory.clock.forward(hours=-11)
    with pytest.raises(InsufficientPoints):
        memory.hold()


def test_law_10_a_clock_behind_central_s_time_revives_no_grant(memory: TerminalMemory) -> None:
    memory.know(300, memory.grant(300, hours=10))
    memory.clock.forward(hours=11)
    later = memory.clock.now
    memory.clock.forward(hours=-11)
    memory.run(lambda transaction: transaction.see_central_time(later))
    with pytest.raises(InsufficientPoints):
        memory.hold()
    assert memory.run(CloseGrants()) == 1


def test_times_are_compared_as_times_not_as_text(memory: TerminalMemory) -> None:
    """The same moment written with another offset sorts elsewhere as text."""
    east = memory.clock.now.astimezone(timezone(timedelta(hours=9)))
    memory.know(300, memory.grant(300, not_after=east + timedelta(hours=1)))
    assert free(memory) == 300
    memory.clock.forward(hours=1, seconds=1)
    assert free(memory) == 0


class GrantLife(RuleBasedStateMachine):
    """Grants, holds, sales, voids, returns, releases, closes and contacts in any order, on the real store.

    The model counts points by hand: what each hold was, what each sale earned and redeemed.
    """

    @initialize()
    def start(self) -> None:
        self.memory = TerminalMemory(
            offline=dict.fromkeys(("points_per_sale_max", "points_per_member_max"), 10000)
            | {"redemptions_per_member_max": 100, "hours_since_contact_max": 1_000}
        )
        self.memory.store_programme()
        self.balance_told = 10_000
        self.memory.know(self.balance_told, self.memory.grant(450, hours=100), self.memory.grant(350, hours=200))
        self.revision = 1
        self.own_points = 0
        self.open: dict[str, Hold] = {}
        self.ended: dict[str, str] = {}
        self.sales: list[Sale] = []
        self.last_receipt: ReceiptKey | None = None

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.memory.store.close()

    @rule(points=st.integers(90, 350), hours=st.integers(1, 100))
    def central_grants(self, points: int, hours: int) -> None:
        """A contact brings a grant and a snapshot that contains all entries so far."""
        self.balance_told += self.own_points
        self.own_points = 0
        self.revision += 1
        grant = self.memory.grant(points, hours=hours)
        head_seq = len(self.memory.chain())
        self.memory.know(self.balance_told, grant, revision=self.revision, includes_seq=head_seq)

    @precondition(lambda self: free(self.memory) >= 100 or not self.sales)
    @rule(count=st.integers(1, 3), online=st.booleans())
    def hold(self, count: int, online: bool) -> None:
        free_before = free(self.memory)
        view = self.memory.view()
        assert view is not None
        try:
            hold = self.memory.hold(count, online=online)
        except RedemptionRefused:
            # The clock of this test never goes back, so nothing but the points can be missing.
            assert min(free_before, view.balance) < 100 * count
            return
        assert free(self.memory) == free_before - hold.points
        self.open[hold.hold_id] = hold

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def redeem(self, data: st.DataObject) -> None:
        hold = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        sale = self.memory.redeem(hold)
        assert sale.points_redeemed == hold.points
        self.ended[hold.hold_id] = "spent"
        self._count(sale.points_earned - sale.points_redeemed)
        self.sales.append(sale)

    @precondition(lambda self: len(self.sales) < 3)
    @rule()
    def sell(self) -> None:
        sale = self.memory.sell()
        self._count(sale.points_earned)
        self.sales.append(sale)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        hold = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        self.memory.release(hold)
        self.ended[hold.hold_id] = "released"

    @precondition(lambda self: self.sales)
    @rule(data=st.data(), kind=st.sampled_from(("void", "return")))
    def reverse(self, data: st.DataObject, kind: str) -> None:
        sale = self.sales.pop(data.draw(st.integers(0, len(self.sales) - 1)))
        back = self.memory.reverse(kind, sale.receipt)  # type: ignore[arg-type]  # a literal that hypothesis draws
        assert (back.points_debited, back.points_credited) == (sale.points_earned, sale.points_redeemed)
        self._count(sale.points_redeemed - sale.points_earned)

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.memory.clock.forward(hours=hours)
        self.memory.run(CloseGrants())

    @precondition(lambda self: self.memory.grants)
    @rule(data=st.data())
    def central_recalls(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.memory.grants))
        self.memory.run(StoreChanges(page=self.memory.changes(grants_recalled=(f"grant-{number}",))))

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def release_what_ended(self, data: st.DataObject) -> None:
        """Ending a hold again moves nothing."""
        hold_id = data.draw(st.sampled_from(sorted(self.ended)))
        before = self.memory.rows("SELECT * FROM grants ORDER BY grant_id")
        if self.ended[hold_id] == "released":
            self.memory.release(hold_id)
        else:
            with pytest.raises(Exception, match="was spent"):
                self.memory.release(hold_id)
        assert self.memory.rows("SELECT * FROM grants ORDER BY grant_id") == before

    @invariant()
    def law_8_no_grant_is_overdrawn(self) -> None:
        for row in self.memory.rows("SELECT * FROM grants"):
            assert min(row.spent, row.held, row.released) >= 0
            assert row.spent + row.held + row.released <= row.points
            if row.state == "closed":
                assert row.spent + row.held + row.released == row.points

    @invariant()
    def no_hold_is_lost(self) -> None:
        held = dict(self.memory.rows("SELECT hold_id, state FROM holds"))
        assert held == dict.fromkeys(self.open, "open") | self.ended
        parts = "SELECT coalesce(sum(points), 0) FROM hold_grants JOIN holds USING (hold_id) WHERE state = 'open'"
        all_held = self.memory.scalar("SELECT coalesce(sum(held), 0) FROM grants")
        assert all_held == sum(hold.points for hold in self.open.values())
        assert self.memory.scalar("SELECT count(*) FROM hold_grants WHERE points < 1") == 0
        assert all_held == self.memory.scalar(parts.replace("sum(points)", "sum(hold_grants.points)"))

    @invariant()
    def the_balance_shown_is_the_snapshot_and_our_own_entries(self) -> None:
        view = self.memory.view()
        assert view is not None
        assert view.balance == self.balance_told + self.own_points

    @invariant()
    def law_3_the_journal_is_dense_and_chained(self) -> None:
        self.memory.check_chain()

    def _count(self, points: int) -> None:
        self.own_points += points


TestGrantLife = GrantLife.TestCase
TestGrantLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
