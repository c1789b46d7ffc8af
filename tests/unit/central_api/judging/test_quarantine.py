"""The quarantine: every way in, bytes and attachments kept, and judged anew after each fix."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from central_api.judging import judgement, quarantine
from central_api.ledger.records import JudgingFailed
from central_api.members.decisions import adjust
from central_api.problems import Refused
from central_api.programmes import versions as programmes
from central_api.storage.schema import attachments, entries
from loyalty_sdk import codec, envelope
from loyalty_sdk.envelope import attachment_hash
from tests.support.terminal import Recorded, SupportTerminal, basket_of
from tests.unit.central_api.support import PROGRAMME, TENANT, World, outcome_of


def judge_all(world: World, *set_aside: tuple[str, str, int]) -> dict[str, str]:
    """Judge the whole quarantine anew; the outcomes by id."""
    places = quarantine.quarantined_places(world.connection, TENANT)
    judged = quarantine.judge_anew(world.connection, world.capabilities, TENANT, places, set(set_aside))
    return {one.id: one.outcome for one in judged}


def of_later_release(till: SupportTerminal, alias: str | None = None) -> Recorded:
    """A sale of a kind that nobody here knows."""
    sale = till.sale(basket_of(1_000), alias=alias)
    till.recorded.pop()
    document = json.loads(sale.data) | {"kind": "sale_of_tomorrow"}
    return till.record_bytes(json.dumps(document).encode(), sale.entry, sale.sealed)


def test_an_unknown_kind_is_kept_with_its_bytes_and_judged_once_it_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, member = world.terminal(1), world.member("1")
    strange = of_later_release(till)
    after = till.sale(basket_of(1_000), member)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, after)[0] == "applied"
    (row,) = quarantine.quarantined(world.connection, TENANT, 10)
    assert (bytes(row.bytes), row.id, row.id_claimed) == (strange.data, None, strange.entry.id)
    assert judge_all(world) == {strange.entry.id: "quarantined"}
    # Central's next release knows the kind.
    original = codec.loads
    monkeypatch.setattr(envelope, "loads", lambda data: json.loads(bytes(data).replace(b"sale_of_tomorrow", b"sale")))
    assert judge_all(world) == {strange.entry.id: "applied"}
    monkeypatch.setattr(envelope, "loads", original)
    (stored,) = world.connection.execute(select(entries).where(entries.c.id == strange.entry.id))
    assert (bytes(stored.bytes), stored.kind, stored.id_claimed) == (strange.data, "sale", "")
    assert [one.outcome for one in world.changes(till).outcomes] == ["applied"]


def test_law_12_the_attachment_of_what_cannot_be_read_waits_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    till, member = world.terminal(1), world.member("77")
    strange = of_later_release(till, alias="77")
    world.deliver(till)
    (kept,) = world.connection.execute(select(attachments))
    assert kept.attachment_hash == attachment_hash(strange.sealed or b"")
    monkeypatch.setattr(envelope, "loads", lambda data: json.loads(bytes(data).replace(b"sale_of_tomorrow", b"sale")))
    assert judge_all(world) == {strange.entry.id: "applied"}
    (kept,) = world.connection.execute(select(attachments))
    assert (kept.entry_id, kept.member_id) == (strange.entry.id, member)
    assert world.figures(member) == (10, 0, 0)


def test_an_unknown_programme_is_judged_once_it_is_activated(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    sale = till.sale(basket_of(1_000), member, programme_version=2)
    back = till.linked_return(sale)
    outcomes = world.deliver(till)
    assert outcome_of(outcomes, sale)[:2] == ("quarantined", "programme-unknown")
    assert outcome_of(outcomes, back)[0] == "held"
    document = PROGRAMME.replace('"version": 1', '"version": 2')
    programmes.activate_programme(world.connection, world.capabilities, TENANT, document)
    assert judge_all(world) == {sale.entry.id: "applied"}
    # The return had waited for it.
    assert [one.outcome for one in world.changes(till).outcomes] == ["applied", "applied"]
    assert world.figures(member) == (0, 0, 0)
    world.check_laws(member)


def test_a_judge_that_broke_judges_again_and_may_break_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    till, member = world.terminal(1), world.member("1")
    sale = till.sale(basket_of(1_000), member)

    def broken(matter: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setitem(judgement._JUDGES, "sale", broken)
    headers, body = till.upload()
    from central_api.exchange.upload import receive_upload

    place = (till.name, till.journal, sale.entry.seq)
    row = world.terminals[till.name]
    receive_upload(world.connection, world.capabilities, row, till.journal, headers, body, {place})
    assert world.connection.execute(select(entries.c.reason).where(entries.c.seq == 2)).scalar_one() == "judging-failed"
    with pytest.raises(JudgingFailed):
        judge_all(world)
    assert judge_all(world, place) == {sale.entry.id: "quarantined"}
    monkeypatch.undo()
    assert judge_all(world) == {sale.entry.id: "applied"}
    assert world.figures(member) == (10, 0, 0)
    assert judge_all(world) == {}


def test_law_6_a_member_that_is_damaged_blocks_no_journal(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What its sales need cannot even be loaded: they are quarantined, until somebody mended the row."""
    till, damaged, well = world.terminal(1), world.member("1"), world.member("2")
    dated = json.dumps(json.loads(PROGRAMME) | {"version": 2, "expiry": {"months_after_earning": 1}})
    programmes.activate_programme(world.connection, world.capabilities, TENANT, dated)
    adjust(world.connection, world.capabilities, TENANT, damaged, 40, "welcome", "a test")
    world.now += timedelta(days=40)
    expires_at = text("UPDATE lots SET expires_at = :date")
    world.connection.execute(expires_at, {"date": "2026-06-02 or so"})
    sales = [till.sale(basket_of(1_000), member) for member in (well, damaged, well, damaged)]
    outcomes = world.deliver(till)
    assert [outcome_of(outcomes, one)[:2] for one in sales] == [("applied", ""), ("quarantined", "judging-failed")] * 2
    assert "cannot be read" in caplog.text
    assert (world.figures(well), world.figures(damaged)) == ((20, 0, 0), (40, 0, 0))
    world.connection.execute(expires_at, {"date": "2026-06-02T00:00:00.000+00:00"})
    assert set(judge_all(world).values()) == {"applied"}
    assert world.figures(damaged) == (20, 0, 0)
    world.check_laws(well, damaged)


def test_what_is_not_quarantined_is_not_judged_anew(world: World) -> None:
    till, member = world.terminal(1), world.member("1")
    sale = till.sale(basket_of(1_000), member)
    world.deliver(till)
    with pytest.raises(Refused, match="nothing quarantined"):
        quarantine.quarantined_places(world.connection, TENANT, sale.entry.id)
    place = (till.name, till.journal, sale.entry.seq)
    assert quarantine.judge_anew(world.connection, world.capabilities, TENANT, [place]) == []
    assert world.figures(member) == (10, 0, 0)
