"""Central restored from a backup, terminals restored or cloned, and both: Laws 2, 4 and 8 over real sockets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from loyalty_sdk.envelope import decode_entry
from loyalty_sdk.errors import InsufficientPoints, OutcomeUnknown
from loyalty_sdk.model import ReturnLine
from sync import exchange
from sync.central import CentralRefused
from sync.pruning import Prune
from sync.store import begin_anew
from tests.integration.exchange.conftest import MakeTill
from tests.integration.exchange.proxy import Proxy
from tests.integration.exchange.site import CARD, CentralSite
from tests.integration.exchange.test_faults import held_once
from tests.integration.exchange.tills import Till, wait_until
from tests.support.terminal_memory import basket_of

BIG = basket_of(50_000)
FIRST = ReturnLine(line=1, quantity=Decimal(1))


def outcomes(site: CentralSite) -> dict[str, int]:
    """How many entries have which outcome."""
    return dict(site.rows("SELECT outcome, count(*) FROM entries GROUP BY outcome"))


def refused(site: CentralSite) -> set[str]:
    """Why central did not apply what it did not apply."""
    return {reason for (reason,) in site.rows("SELECT reason FROM entries WHERE outcome <> 'applied'")}


def check_law_8(site: CentralSite) -> None:
    """Every balance is the sum of its transfers, and nothing is made or lost."""
    for member_id, available, owed in site.rows("SELECT member_id, available, owed FROM balances"):
        sums: dict[str, int] = {}
        for source, target, points in site.rows(
            "SELECT from_account, to_account, points FROM transfers WHERE member_id = ?", member_id
        ):
            sums[source] = sums.get(source, 0) - points
            sums[target] = sums.get(target, 0) + points
        ((reserved,),) = site.rows("SELECT sum(points) FROM reservations WHERE member_id = ?", member_id)
        assert (sums.get("available", 0), -sums.get("owed", 0)) == (available, owed)
        assert sums.get("reserved", 0) == (reserved or 0)
        assert sum(sums.values()) == 0


def loss(site: CentralSite) -> int:
    """What central lost, in points."""
    ((lost,),) = site.rows(
        "SELECT coalesce(sum(iif(from_account = 'offline_loss', points, -points)), 0) FROM transfers"
        " WHERE 'offline_loss' IN (from_account, to_account)"
    )
    return int(lost)


def a_day(till: Till, member: str) -> None:
    """Earn, redeem by an exact grant, leave a grant ahead open, hold something."""
    till.sell(BIG, member_id=member)
    till.drain()
    till.identify(CARD)
    redemption_id = till.exact_grant(member, 100)
    hold = till.hold(member_id=member, redemption_id=redemption_id)
    till.redeem(hold, member_id=member)
    till.drain()


def epoch_of(site: CentralSite) -> str:
    ((epoch,),) = site.rows("SELECT value FROM meta WHERE name = 'epoch'")
    return str(epoch)


def recovering(site: CentralSite) -> bool:
    return bool(site.program.json("recovery", "show")["recovering"])


def test_central_restored_from_yesterday_is_refilled(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    a_day(till, member)
    yesterday = site.backup()
    a_day(till, member)
    till.sell(BIG, member_id=member)
    till.drain()
    before, epoch = site.figures(), epoch_of(site)
    site.restore(yesterday)
    wait_until(lambda: till.fact("epoch") != epoch)
    till.drain()
    wait_until(lambda: not recovering(site))
    held_once(site, till)
    assert site.figures() == before
    assert outcomes(site).keys() == {"applied"}
    assert loss(site) == 0
    check_law_8(site)
    # The feed begins anew: what central says now is heard.
    till.sell(BIG, member_id=member)
    till.drain()
    balance = sum(site.figures()[:2])
    wait_until(lambda: (view := till.view(member)) is not None and view.balance == balance)
    assert till.identify(CARD).snapshot.balance == balance


def test_a_grant_alone_tells_a_restored_central(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    yesterday, epoch = site.backup(), epoch_of(site)
    till.identify(CARD)
    before = site.figures()
    site.restore(yesterday)
    wait_until(lambda: till.fact("epoch") != epoch)
    wait_until(lambda: not recovering(site))
    assert site.figures() == before


def test_an_operator_begins_a_recovery(till: Till, site: CentralSite) -> None:
    """Where he knows that a backup was restored, and no terminal shows it yet."""
    till.start()
    till.drain()
    epoch = epoch_of(site)
    assert site.program.json("recovery", "begin")["epoch"] != epoch
    wait_until(lambda: till.fact("epoch") == epoch_of(site))
    wait_until(lambda: not recovering(site))
    till.sell(member_id=None)
    till.drain()


def test_an_idle_terminal_tells_a_restored_central_too(till: Till, site: CentralSite) -> None:
    till.start()
    till.drain()
    yesterday, epoch = site.backup(), epoch_of(site)
    till.sell(member_id=None)
    till.drain()
    site.restore(yesterday)
    wait_until(lambda: till.fact("epoch") != epoch)
    till.drain()
    held_once(site, till)


def test_nothing_is_granted_until_every_terminal_has_returned(
    make_till: MakeTill, site: CentralSite, member: str
) -> None:
    one, two = make_till("till-1"), make_till("till-2")
    for till in (one, two):
        till.start()
    one.sell(BIG, member_id=member)
    one.drain()
    two.drain()
    yesterday, epoch = site.backup(), epoch_of(site)
    two.identify(CARD)  # Its grant is of after the backup.
    two.stop()
    one.sell(BIG, member_id=member)
    one.drain()
    before = site.figures()
    assert before == (900, 100, 0)
    site.restore(yesterday)
    wait_until(lambda: one.fact("epoch") != epoch)
    one.drain()
    assert one.identify(CARD).grants == ()
    with pytest.raises(CentralRefused, match="recovering"):
        one.exact_grant(member, 100)
    assert recovering(site)
    two.start()
    wait_until(lambda: not recovering(site))
    assert site.figures() == before
    assert len(one.identify(CARD).grants) == 1
    check_law_8(site)


def test_a_person_overrides_and_what_a_lost_terminal_granted_is_central_s_loss(
    make_till: MakeTill, site: CentralSite, member: str
) -> None:
    one, two = make_till("till-1"), make_till("till-2")
    one.start()
    two.start()
    one.drain()
    two.drain()
    yesterday, epoch = site.backup(), epoch_of(site)
    one.sell(BIG, member_id=member)
    one.drain()
    two.identify(CARD)
    two.stop()
    site.restore(yesterday)
    wait_until(lambda: one.fact("epoch") != epoch)
    one.drain()
    assert recovering(site)
    assert site.program.json("recovery", "override", "till-2") == {"overridden": ["till-2"]}
    assert not recovering(site)
    assert "nobody waits" in site.program.refused("recovery", "override", "till-2")
    # All 500 points can be had again; the hundred that till-2 still holds are the risk that was taken.
    while site.figures()[0] >= 100:
        one.redeem(one.hold(member_id=member, redemption_id=one.exact_grant(member, 100)), member_id=member)
        one.drain()
    two.start(exchanging=False)
    two.redeem(two.hold(member_id=member), member_id=member)
    two.stop()
    two.start()
    two.drain()
    check_law_8(site)
    assert site.figures()[2] == 0
    assert 0 < loss(site) <= 100


def test_what_the_terminal_has_pruned_is_a_recorded_gap(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    yesterday = site.backup()
    for _ in range(4):
        till.sell(member_id=None)
        till.drain()
    site.stop()
    while till.run(Prune(retention=timedelta(0))):
        pass
    floor = int(till.fact("floor_seq") or 0)
    assert floor >= 4
    till.sell(BIG, member_id=member)
    site.restore(yesterday)
    till.drain()
    wait_until(lambda: not recovering(site))
    (gap,) = site.program.json("recovery", "show")["gaps"]
    assert (gap["terminal"], gap["first_seq"], gap["last_seq"]) == ("till-1", 3, floor)
    # The terminal's own word for it is kept.
    ((report, signature),) = site.rows("SELECT report, signature FROM gaps")
    assert f'"floor_seq":{floor}' in report
    assert len(signature) == 64
    assert site.rows("SELECT max(seq) FROM entries") == [(till.mark.head_seq,)]
    till.sell(member_id=None)
    till.drain()
    assert outcomes(site).keys() == {"applied"}


def test_a_restored_terminal_begins_a_new_journal_and_goes_on(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    a_day(till, member)
    till.stop()
    image = till.image("image")
    till.start()
    journal = till.journal
    till.sell(BIG, member_id=member)
    till.drain()
    till.stop()
    till.restore(image)
    till.start(exchanging=False)
    branch = [till.sell(BIG, member_id=None).entry_id for _ in range(2)]
    till.stop()
    till.start()
    wait_until(lambda: till.journal != journal)
    till.drain()
    # All is recorded again under its own ids, so that this journal alone can fill a central again; what both lives
    # share counts once, and is not shown as something that central refused.
    ours = [entry.id for entry in till.entries() if entry.kind == "sale"]
    assert ours[-2:] == branch
    assert refused(site) == {"duplicate-entry"}
    assert till.rows("SELECT * FROM outcomes") == []
    assert "earlier_file" in dict(till.rows("SELECT name, value FROM meta"))
    ((previous,),) = site.rows("SELECT bytes FROM entries WHERE journal = ? AND seq = 1", till.journal)
    assert getattr(decode_entry(previous).body, "previous_journal", None) == journal
    check_law_8(site)


def test_a_member_whom_only_a_lost_disk_knew_is_known_again_once_he_is_told_of(
    make_till: MakeTill, site: CentralSite, member: str
) -> None:
    """The till had only asked who it is: nothing changed of which the feed could tell, until somebody sells."""
    till, other = make_till("till-1"), make_till("till-2")
    till.start()
    till.drain()
    till.stop()
    image = till.image("image")
    till.start()
    till.identify(CARD)
    till.sell(member_id=None)
    till.drain()
    till.stop()
    till.restore(image)
    till.start()
    wait_until(lambda: till.fact("earlier_file") is not None and till.fact("feed_anew") is None)
    till.drain()
    assert till.view(member) is None
    other.start()
    other.sell(BIG, member_id=member)
    wait_until(lambda: (view := till.view(member)) is not None and view.balance == 500)


def test_old_grants_of_a_restored_terminal_wait_for_central(till: Till, site: CentralSite, member: str) -> None:
    """In its lost life the till had spent the grant that its image holds."""
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    till.identify(CARD)
    till.stop()
    image = till.image("image")
    till.start()
    till.redeem(till.hold(member_id=member), member_id=member)
    till.drain()
    till.stop()
    till.restore(image)
    till.start()
    wait_until(lambda: till.fact("earlier_file") is not None)
    wait_until(lambda: till.scalar("SELECT count(*) FROM grants WHERE confirmed = 0") == 0)
    ((left,),) = till.rows("SELECT points - spent - held FROM grants WHERE state = 'open'") or [(0,)]
    assert left == 0
    assert loss(site) == 0


def test_grants_stay_unspendable_while_they_are_unconfirmed(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    till.identify(CARD)
    site.stop()
    wait_until(lambda: not till.exchange.online)
    with pytest.raises(OutcomeUnknown):
        till.writer.call(begin_anew)
    with pytest.raises(InsufficientPoints):
        till.hold(member_id=member)
    till.stop()
    site.start()
    till.start()
    wait_until(lambda: till.scalar("SELECT count(*) FROM grants WHERE confirmed = 0") == 0)
    till.redeem(till.hold(member_id=member), member_id=member)
    till.drain()
    assert refused(site) == {"duplicate-entry"}
    assert loss(site) == 0


def test_both_restored(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    till.stop()
    image = till.image("image")
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    backup, epoch = site.backup(), epoch_of(site)
    till.sell(BIG, member_id=member)
    till.drain()
    till.stop()
    till.restore(image)
    site.restore(backup)
    till.start()
    sold = till.sell(BIG, member_id=member).entry_id
    till.drain()
    wait_until(lambda: site.rows("SELECT outcome FROM entries WHERE id = ?", sold) == [("applied",)])
    # What only the two lost lives knew is lost; nothing is counted twice.
    assert sum(site.figures()[:2]) == 1_500
    assert epoch_of(site) == epoch  # Nobody is left who knows more than the backup.
    check_law_8(site)


def test_a_cloned_terminal_forks_and_both_sell_on(till: Till, site: CentralSite, proxy: Proxy, member: str) -> None:
    till.start()
    till.drain()
    till.stop()
    clone = Till(till.image("clone"), proxy.url)
    clone.receipts = 1_000
    clone.context = replace(till.context, register="clone")
    till.start()
    clone.start()
    try:
        for _ in range(5):
            till.sell(BIG, member_id=member)
            clone.sell(BIG, member_id=member)
        wait_until(lambda: till.is_drained() and clone.is_drained() and till.journal != clone.journal)
        wait_until(lambda: sum(site.figures()[:2]) == 5_000)
    finally:
        clone.stop()
    assert outcomes(site) == {"applied": 2 + 10}
    check_law_8(site)


def test_what_a_clone_sent_to_a_restored_central_is_listed_as_that_central_judged_it(
    make_till: MakeTill, site: CentralSite, proxy: Proxy, member: str
) -> None:
    """Its twin finds all that was acknowledged there, and would not hear that a return is held no more."""
    till, other = make_till("till-1"), make_till("till-2")
    backup = site.backup()
    other.start(exchanging=False)
    sale = other.sell(BIG, member_id=member)
    till.start()
    till.reverse("return", sale.receipt, FIRST)
    till.drain()
    assert till.scalar("SELECT outcome FROM outcomes WHERE seq = 2") == "held"
    journal = till.journal
    till.stop()
    clone = Till(till.image("clone"), proxy.url)
    site.restore(backup)
    other.stop()
    other.start()
    other.drain()
    clone.start()
    try:
        wait_until(lambda: len(site.rows("SELECT seq FROM entries WHERE journal = ?", journal)) == 2)
    finally:
        clone.stop()
    till.start()
    wait_until(lambda: till.rows("SELECT seq FROM outcomes") == [])
    assert outcomes(site) == {"applied": 2 + 2}


def test_a_revoked_terminal_says_so_delivers_and_sells_on(till: Till, site: CentralSite, member: str) -> None:
    till.start()
    till.drain()
    till.sell(BIG, member_id=member)
    site.program.json("terminal", "revoke", "till-1")
    wait_until(lambda: "revoked" in till.exchange.trouble)
    for _ in range(3):
        till.sell(BIG, member_id=member)
    till.drain()
    assert sum(site.figures()[:2]) == 2_000
    assert till.exchange.online
    assert till.fact("revoked") is not None


def test_a_revoked_terminal_has_its_grants_confirmed(
    till: Till, site: CentralSite, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Central tells it no changes any more; without its report the grant's points would stay set aside for ever."""
    monkeypatch.setattr(exchange, "TIDY_MS", 20)
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    till.stop()
    till.start(exchanging=False)
    till.identify(CARD)
    assert till.scalar("SELECT count(*) FROM grants WHERE confirmed = 0") == 1
    site.program.json("terminal", "revoke", "till-1")
    till.exchange._machine.grants_checked(unconfirmed=False)  # As it was when the agent started.
    till.exchange.start()
    till._exchanging = True
    wait_until(lambda: till.fact("revoked") is not None)
    wait_until(lambda: till.scalar("SELECT count(*) FROM grants WHERE confirmed = 0") == 0)


def test_a_revocation_survives_a_restore_of_central(till: Till, site: CentralSite) -> None:
    till.start()
    till.drain()
    yesterday, epoch = site.backup(), epoch_of(site)
    till.sell(member_id=None)
    till.drain()
    site.program.json("terminal", "revoke", "till-1")
    wait_until(lambda: till.fact("revoked") is not None)
    site.restore(yesterday)
    wait_until(lambda: till.fact("epoch") != epoch)
    till.drain()
    (row,) = site.program.json("terminal", "list")["terminals"]
    assert row["state"] == "revoked"
    held_once(site, till)


def test_central_restored_to_before_an_earlier_restore(till: Till, site: CentralSite) -> None:
    till.start()
    till.drain()
    oldest = site.backup("oldest.db")
    for _ in range(2):
        epoch: Any = till.fact("epoch")
        till.sell(member_id=None)
        till.drain()
        site.restore(oldest)
        wait_until(partial(_left, till, epoch))
        till.drain()
        held_once(site, till)


def _left(till: Till, epoch: str) -> bool:
    return till.fact("epoch") != epoch


def test_a_terminal_that_a_restored_central_does_not_know_is_enrolled_again(
    make_till: MakeTill, site: CentralSite, member: str
) -> None:
    yesterday = site.backup()
    till = make_till("till-1")
    till.start()
    till.sell(BIG, member_id=member)
    till.drain()
    site.restore(yesterday)
    wait_until(lambda: "access-refused" in till.exchange.trouble)
    till.sell(BIG, member_id=member)
    till.stop()
    code = site.program.json("terminal", "add", "till-1")["code"]
    again = Till.enrolled(till.folder, till.url, code, again=True)
    again.receipts = till.receipts
    again.start()
    again.drain()
    held_once(site, again)
    assert sum(site.figures()[:2]) == 1_000
    again.stop()
