"""Recovery at central: what shows a restore, how grants come back in any order, and what an override costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from central_api.exchange import recovery
from central_api.exchange.claims import begin_and_settle, claims_of
from central_api.exchange.recovery import JournalPlace, check_place, override_recovery
from central_api.members.decisions import adjust
from central_api.problems import Refused
from central_api.storage.epochs import begin_epoch, is_recovering, recovery_rows
from central_api.storage.installation import epoch_of, install
from central_api.storage.schema import (
    aliases,
    balances,
    changes,
    feeds,
    grants,
    interest,
    member_keys,
    members,
    reservations,
    tellings,
    terminals,
    transfers,
)
from central_api.storage.schema_ledger import debits, decisions, lots, settlements
from central_api.storage.schema_office import acts
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import document_signing_input
from loyalty_sdk.protocol import JournalReport, ReportAnswer, SignedDocument, SignedReport
from tests.support.terminal import SupportTerminal, basket_of, grant_document, grant_use
from tests.unit.central_api.support import TENANT, World, outcome_of

FACTS = (lots, debits, settlements, decisions)


def report(world: World, till: SupportTerminal, *returned: SignedDocument, **changes: Any) -> ReportAnswer:
    """Send a report that says what is so, unless told otherwise."""
    assert till.enrolment is not None
    made = JournalReport(
        format="loyalty-report-1",
        terminal=till.name,
        journal=till.journal,
        epoch=till.enrolment.epoch,
        acknowledged_seq=len(till.recorded),
        acknowledged_hash=till.recorded[-1].hash.hex(),
        floor_seq=0,
        floor_hash="",
        head_seq=len(till.recorded),
        revoked=False,
        grants=returned,
        more=False,
    )
    text = dumps(replace(made, **changes)).decode()
    signed = SignedReport(report=text, signature=till.key.sign(document_signing_input("report", text)))
    row = world.terminals[till.name]
    answer = recovery.receive_report(world.connection, world.capabilities, row, till.journal, signed)
    till.enrolment = replace(till.enrolment, epoch=answer.epoch)
    return answer


def lose(world: World) -> None:
    """Take central back to before a grant and everything that the member earned."""
    for table in (*FACTS, grants, transfers, reservations, balances):
        world.connection.execute(delete(table))


def test_a_report_that_fits_changes_nothing(world: World) -> None:
    till = world.terminal(1)
    world.deliver(till)
    epoch = epoch_of(world.connection)
    answer = report(world, till)
    assert (answer.epoch, answer.watermark, answer.recovering) == (epoch, 1, False)


@pytest.mark.parametrize("known", ["entries", "an epoch"])
def test_a_terminal_that_knows_more_begins_an_epoch_and_every_terminal_is_waited_for(world: World, known: str) -> None:
    till, other = world.terminal(1), world.terminal(2)
    till.sale(basket_of(100))
    if known == "an epoch":
        world.deliver(till)
    epoch = epoch_of(world.connection)
    answer = report(world, till, **({"epoch": "of another life"} if known == "an epoch" else {}))
    assert answer.epoch != epoch
    assert answer.recovering
    assert {row.terminal for row in recovery_rows(world.connection, TENANT)} == {till.name, other.name}
    world.deliver(till)
    assert report(world, other, acknowledged_seq=0, acknowledged_hash="", epoch=epoch).recovering is False
    # A late word of the epoch before begins no other one.
    assert report(world, other, acknowledged_seq=0, acknowledged_hash="", epoch=epoch).epoch == answer.epoch


def test_law_7_a_grant_comes_back_before_or_after_what_it_was_issued_from(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    before = world.figures(member)
    lose(world)
    report(world, till, grant)
    assert world.figures(member) == (0, 100, 100)
    # The sale is delivered again, as by a terminal whose entries this central never saw.
    other = world.terminal(2)
    other.sale(basket_of(30_000), member)
    other.enrolment = replace(other.enrolment, epoch=epoch_of(world.connection))  # type: ignore[type-var]
    world.upload(other)
    assert world.figures(member) == before
    world.check_laws(member)


def test_an_override_writes_off_what_is_owed_only_because_of_the_restore(world: World) -> None:
    till, other, member = world.terminal(1), world.terminal(2), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    lose(world)
    report(world, till, grant)
    assert world.figures(member) == (0, 100, 100)
    assert recovery.override_recovery(world.connection, world.capabilities, TENANT) == [other.name]
    assert world.figures(member) == (0, 100, 0)
    assert world.sums(member)["offline_loss"] == -100
    assert not is_recovering(world.connection, TENANT)
    world.check_laws(member)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"terminal": "another"}, "invalid-request"),
        ({"floor_seq": 9}, "invalid-request"),
        ({"acknowledged_seq": -1}, "invalid-request"),
        ({"acknowledged_hash": ""}, "invalid-request"),
        ({"acknowledged_hash": "zz"}, "invalid-request"),
    ],
)
def test_a_report_that_cannot_be_is_refused(world: World, changes: dict[str, Any], name: str) -> None:
    till = world.terminal(1)
    world.deliver(till)
    with pytest.raises(Refused) as caught:
        report(world, till, **changes)
    assert caught.value.problem.name == name


def test_a_report_of_another_key_is_refused(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    signed = SignedReport(report="{}", signature=other.key.sign(document_signing_input("report", "{}")))
    with pytest.raises(Refused, match="signature"):
        recovery.receive_report(world.connection, world.capabilities, world.terminals[till.name], till.journal, signed)


def test_nobody_waits_for_a_terminal_that_is_not_enrolled(world: World) -> None:
    till = world.terminal(1)
    recovery_begun = begin_epoch(world.connection, world.capabilities, "test")
    assert epoch_of(world.connection) == recovery_begun
    report(world, till, acknowledged_seq=0, acknowledged_hash="")
    assert not is_recovering(world.connection, TENANT)


def test_law_11_a_terminal_that_lies_again_and_again_begins_one_epoch_a_day(world: World) -> None:
    till, other = world.terminal(1), world.terminal(2)
    till.sale(basket_of(100))
    world.deliver(till)
    lie = {"acknowledged_seq": 9, "acknowledged_hash": "ab" * 32, "head_seq": 9}
    first = report(world, till, **lie).epoch
    report(world, other, acknowledged_seq=0, acknowledged_hash="")
    assert override_recovery(world.connection, world.capabilities, TENANT) == [till.name]
    assert not is_recovering(world.connection, TENANT)
    # Another claim is kept for a person, and the terminal hears what central holds, in a report and in an upload.
    answer = report(world, till, **lie)
    assert (answer.epoch, answer.watermark, answer.recovering) == (first, 2, False)
    report(world, till, epoch="of another life")
    till.sale(basket_of(100))
    till.sale(basket_of(100))
    assert world.upload(till, 4).watermark == 2
    assert not is_recovering(world.connection, TENANT)
    (claim,) = claims_of(world.connection, TENANT)
    assert (claim.terminal, claim.says) == (till.name, "goes on at entry 4")
    assert claims_of(world.connection, "another") == []
    # A person confirms, and all claims are settled; a day later one is believed again.
    confirmed = begin_and_settle(world.connection, world.capabilities, "test")
    assert claims_of(world.connection, TENANT) == []
    report(world, till, **lie, epoch=confirmed)
    assert epoch_of(world.connection) == confirmed
    world.now += timedelta(days=1, seconds=1)
    assert report(world, till, **lie).epoch != confirmed


def test_a_revoked_terminal_begins_no_epoch_by_a_claim(world: World) -> None:
    till = world.terminal(1)
    epoch = epoch_of(world.connection)
    world.terminals[till.name] = replace(world.terminals[till.name], state="revoked")
    assert report(world, till, acknowledged_seq=9, acknowledged_hash="ab" * 32, head_seq=9).epoch == epoch


def test_a_terminal_that_says_it_was_revoked_is_and_its_grants_are_wanted_back(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    lose(world)
    report(world, till, grant, revoked=True)
    row = world.connection.execute(select(terminals.c.state, grants.c.recalled).join_from(terminals, grants)).one()
    assert tuple(row) == ("revoked", 1)
    (act,) = world.connection.execute(select(acts).where(acts.c.act == "terminal-revoked")).all()
    assert (act.actor, act.subject) == (f"terminal:{till.name}", till.name)


def test_a_terminal_of_one_tenant_stops_no_other_by_its_word(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Its claim is kept for the operator and told in the log; a grant that central signed and lacks is proof."""
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant, epoch = world.granted(till, member, 100), epoch_of(world.connection)
    install(world.connection, world.capabilities, "another")
    answer = report(world, till, acknowledged_seq=9, acknowledged_hash="ab" * 32, head_seq=9)
    assert (answer.epoch, answer.watermark, answer.recovering) == (epoch, 2, False)
    assert report(world, till, epoch="of another life").epoch == epoch
    till.sale(basket_of(100))
    till.sale(basket_of(100))
    assert (world.upload(till, 4).watermark, epoch_of(world.connection)) == (2, epoch)
    (claim,) = claims_of(world.connection, TENANT)
    assert (claim.terminal, claim.says) == (till.name, "goes on at entry 4")
    assert f"recovery show --tenant {TENANT}" in caplog.text
    assert not is_recovering(world.connection, TENANT)
    lose(world)
    assert report(world, till, grant, epoch=epoch).epoch != epoch


def test_a_grant_that_central_signed_and_lacks_is_proof_at_any_time(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    epoch = begin_and_settle(world.connection, world.capabilities, "test")
    lose(world)
    assert report(world, till, grant, epoch=epoch).epoch != epoch


def test_a_close_that_gives_nothing_back_brings_its_grant_back(world: World) -> None:
    """All of it is held at the till: the grant that central lost comes back with its close, and stays set aside."""
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    lose(world)
    close = till.close_grant(grant, 0, uses=(grant_use(grant, 0),))
    assert outcome_of(world.deliver(till), close) == ("applied", "", 0)
    assert world.figures(member) == (0, 100, 100)
    release = till.release(member, grant_use(grant, 100))
    assert outcome_of(world.deliver(till), release) == ("applied", "", 0)
    assert world.figures(member) == (0, 0, 0)


def test_a_cursor_beyond_the_feed_shows_a_restore_once_a_day(world: World) -> None:
    """Nothing of the till's journal was lost: only what its feed had told."""
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    cursor, epoch = world.changes(till).cursor, epoch_of(world.connection)
    for told in (changes, feeds, tellings):
        world.connection.execute(delete(told))
    with pytest.raises(Refused) as refused:
        world.changes(till, cursor)
    assert refused.value.problem.name == "epoch-changed"
    answer = report(world, till, cursor=cursor)
    assert (answer.epoch != epoch, answer.watermark) == (True, 2)
    assert report(world, till, cursor=cursor).epoch == answer.epoch
    (claim,) = claims_of(world.connection, TENANT)
    assert f"change {cursor} of its feed" in claim.says
    assert world.changes(till).cursor == ""


def test_a_cursor_of_another_life_of_the_feed_is_known_by_its_moment(world: World) -> None:
    """Central was restored, nobody began a new epoch, and its feed has given the till's number again by now."""
    till, first, second = world.terminal(1), world.member("1"), world.member("2")
    till.sale(basket_of(30_000), first)
    till.sale(basket_of(30_000), second)
    world.deliver(till)
    cursor = world.changes(till).cursor
    before = world.connection.begin_nested()
    world.now += timedelta(hours=1)
    adjust(world.connection, world.capabilities, TENANT, first, 10, "a gift", "ana")
    lost = world.changes(till, cursor).cursor
    before.rollback()
    world.now += timedelta(hours=1)
    for points in (20, 30, 40):
        adjust(world.connection, world.capabilities, TENANT, second, points, "a gift", "ana")
    assert world.changes(till, cursor).snapshots
    with pytest.raises(Refused) as refused:
        world.changes(till, lost)
    assert refused.value.problem.name == "epoch-changed"
    report(world, till, cursor=lost)
    assert len(world.changes(till).snapshots) == 2


def test_a_cursor_of_release_0_1_0_is_a_number_alone(world: World) -> None:
    till = world.terminal(1)
    till.sale(basket_of(30_000), world.member("1"))
    till.sale(basket_of(30_000), world.member("2"))
    world.deliver(till)
    cursor = world.changes(till).cursor
    number = cursor.partition("-")[0]
    assert number != cursor
    assert world.changes(till, number).snapshots == ()
    assert world.changes(till, number).cursor == number
    assert len(world.changes(till, str(int(number) - 1)).snapshots) == 1
    with pytest.raises(Refused):
        world.changes(till, str(int(number) + 1))


def test_a_report_is_followed_by_what_still_waits(world: World) -> None:
    """Before the restore the till may have heard that the sale came and its return was applied."""
    till, other = world.terminal(1), world.terminal(2)
    back = till.linked_return(other.sale(basket_of(1_000), world.member("1")))
    assert outcome_of(world.deliver(till), back)[0] == "held"
    assert world.changes(till).outcomes == ()
    report(world, till)
    assert [(one.seq, one.outcome) for one in world.changes(till).outcomes] == [(2, "held")]


def test_a_report_is_followed_by_all_that_was_not_applied_and_is_still_listed(world: World) -> None:
    """Each page of it: the terminal may not come to send the last. What it pruned or took over it does not list."""
    till, other, member = world.terminal(1), world.terminal(2), world.member("1")
    sale = other.sale(basket_of(1_000), member)
    taken_over = till.sale(basket_of(1_000), member, id=sale.entry.id)
    world.deliver(other)
    for _ in range(2):
        till.sale(basket_of(1_000), member, receipt_key=sale.entry.receipt_key)
    twice = till.sale(basket_of(1_000), member, id=sale.entry.id)
    given = world.deliver(till)
    assert [outcome_of(given, one)[1] for one in (taken_over, twice)] == ["duplicate-entry"] * 2
    floor_hash = till.recorded[2].hash.hex()
    report(world, till, floor_seq=3, floor_hash=floor_hash, recorded_again_seq=2, more=True)
    told = [(one.seq, one.reason) for one in world.changes(till).outcomes]
    assert told == [(4, "duplicate-receipt"), (5, "duplicate-entry")]
    report(world, till, recorded_again_seq=2)
    assert [one.seq for one in world.changes(till).outcomes] == [3, 4, 5]
    report(world, till)
    assert [one.seq for one in world.changes(till).outcomes] == [2, 3, 4, 5]


def test_a_grant_of_a_member_that_central_lost_begins_one_epoch(world: World) -> None:
    """Its member was registered after the backup: nothing can be set aside, and that is no news the second time."""
    till, member = world.terminal(1), world.member("1")
    till.sale(basket_of(30_000), member)
    world.deliver(till)
    grant = world.granted(till, member, 100)
    for table in (*FACTS, grants, transfers, reservations, balances, interest, aliases, member_keys, members):
        world.connection.execute(delete(table).where(table.c.member_id == member))
    epoch = report(world, till, grant).epoch
    assert report(world, till, grant).epoch == epoch
    place = JournalPlace(
        journal=till.journal,
        acknowledged=len(till.recorded),
        hash=till.recorded[-1].hash.hex(),
        head=len(till.recorded),
        grant=grant_document(grant).grant_id,
    )
    check_place(world.connection, world.terminals[till.name], place)
