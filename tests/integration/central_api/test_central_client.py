"""`Central` and `AsyncCentral` against a central that is a process of its own, over real sockets: every group."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty_sdk._central_calls import ENDPOINTS
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import document_signing_input
from loyalty_sdk.errors import (
    AccessRefused,
    AliasUnknown,
    Conflict,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    ProgrammeInvalid,
    ScopeMissing,
    TerminalRevoked,
)
from loyalty_sdk.protocol import JournalReport, SignedReport
from tests.integration.central_api.central_client import PROGRAMME, Site, connected, new, new_number, new_terminal
from tests.integration.central_api.support import ROOT
from tests.support.terminal import SupportTerminal, basket_of
from tests.unit.loyalty_sdk.test_quickstart import promised, snippets

PAGE = ROOT / "docs" / "central-client.md"


@pytest.fixture(params=["Central", "AsyncCentral"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def central(kind: str, site: Site) -> Iterator[Any]:
    with connected(kind, site.settings()) as made:
        yield made


def enrolled(central: Any) -> SupportTerminal:
    """A terminal that was made by the back office and enrolled with its code."""
    code = central.create_terminal(new("till"))
    till = new_terminal(new_number())
    request = till.enrolment_request(code.code)
    till.enrolled(central.enrol(request.code, request.public_key, request.agent_version))
    assert till.name == code.terminal
    return till


def as_terminal(kind: str, site: Site, till: SupportTerminal) -> Any:
    assert till.enrolment is not None
    return connected(kind, site.settings(token=till.enrolment.token))


# Members


def test_a_member_is_registered_found_and_changed(central: Any) -> None:
    card, phone = new("card"), new("phone")
    member = central.create_member([card], name="Ana Sousa", tier="gold")
    assert (member.name, member.tier, member.balance) == ("Ana Sousa", "gold", 0)
    assert central.search_members(card).items == (central.member(member.member_id),)
    assert central.search_members(new("card")).items == ()
    known = central.member(member)
    assert central.member(known, known=known) is known
    changed = central.update_member(known, name="Ana Souza")
    assert (changed.name, changed.tier) == ("Ana Souza", "gold")
    with pytest.raises(PreconditionFailed, match="read it again"):
        central.update_member(known, tier="silver")
    assert central.member(known, known=known) == changed
    both = central.add_alias(changed, phone)
    assert {one.alias for one in both.aliases} == {card, phone}
    (gone,) = (one for one in both.aliases if one.alias == card)
    assert [one.alias for one in central.remove_alias(both, gone).aliases] == [phone]
    with pytest.raises(Conflict):
        central.create_member([phone])
    with pytest.raises(NotFound):
        central.member("nobody")


def test_a_list_goes_over_its_pages(central: Any) -> None:
    made = {central.create_member([new("card")]).member_id for _ in range(3)}
    listed = [one.member_id for one in central.members(limit=2)]
    assert made <= set(listed)
    assert len(set(listed)) == len(listed)
    assert [one.member_id for one in central.members()] == listed


def test_points_are_given_taken_and_explained(central: Any) -> None:
    member = central.create_member([new("card")])
    given = central.adjust(member, 100, "welcome")
    assert (given.balance, given.available) == (100, 100)
    assert central.adjust(member.member_id, -30, "broken jar").balance == 70
    with pytest.raises(InsufficientPoints):
        central.adjust(member, -71, "too much")
    with pytest.raises(InvalidRequest):
        central.adjust(member, 0, "nothing")
    with pytest.raises(Conflict, match="owes 0 points"):
        central.write_off(member, 1, "nothing is owed")
    transfers = list(central.transfers(member, limit=1))
    assert [(one.from_account, one.to_account, one.points) for one in transfers] == [
        ("issued", "available", 100),
        ("available", "issued", 30),
    ]
    assert [(one.points, one.remaining) for one in central.lots(member)] == [(100, 70)]
    assert [(one.points, one.reason) for one in central.decisions(member)] == [(100, "welcome"), (-30, "broken jar")]


def test_members_are_merged(central: Any) -> None:
    card = new("card")
    source, target = central.create_member([card]), central.create_member([new("card")])
    central.adjust(source, 40, "before")
    merged = central.merge_members(target, source, "one person")
    assert merged.balance == 40
    assert central.search_members(card).items[0].member_id == target.member_id
    assert central.member(source).merged_into == target.member_id


# Journals and terminals


def test_a_terminal_sells_and_the_back_office_sees_it(central: Any, kind: str, site: Site) -> None:
    till, card = enrolled(central), new("card")
    member = central.create_member([card])
    with as_terminal(kind, site, till) as line:
        signed = line.signed_programme()
        assert signed == line.signed_programme_version(1)
        sale = till.sale(basket_of(15_000), member.member_id)
        answer = line.upload(till.journal, *till.upload())
        assert (answer.watermark, [one.outcome for one in answer.outcomes]) == (2, ["applied", "applied"])
        assert line.journal(till.journal).watermark_hash == sale.hash.hex()
        assert [one.seq for one in line.journal_entries(till.journal, limit=1)] == [1, 2]
        assert [one.id for one in line.journal_entries(till.journal, after=1)] == [sale.entry.id]
        identified = line.identify(card, till.journal, grant_ahead=False)
        assert (identified.snapshot.balance, identified.grants) == (150, ())
        with pytest.raises(AliasUnknown):
            line.identify(new("card"), till.journal)
        exact = line.issue_grant(till.new_id(), member.member_id, till.journal, 100)
        assert exact.snapshot.balance == 150
        page = line.changes(till.journal, acknowledged=2, hash=sale.hash.hex(), head=2)
        assert member.member_id in {one.member_id for one in page.snapshots}
        assert line.report_journal(till.journal, report_of(till)).watermark == 2
    (grant,) = central.grants(terminal=till.name, state="open")
    assert (grant.points, grant.reserved, grant.member_id) == (100, 100, member.member_id)
    assert [one.grant_id for one in central.member_grants(member)] == [grant.grant_id]
    assert central.grant(grant) == grant
    assert central.recall_grant(grant).recalled
    seen = central.terminal(till.name)
    assert (seen.state, seen.grants_open, seen.reserved) == ("enrolled", 1, 100)
    assert seen.journal is not None
    assert (seen.journal.journal, seen.journal.watermark) == (till.journal, 2)
    assert till.name in {one.terminal for one in central.terminals(limit=1)}
    entries = list(central.entries(terminal=till.name, limit=1))
    assert [(one.kind, one.outcome) for one in entries] == [("journal_opened", "applied"), ("sale", "applied")]
    assert list(central.member_entries(member)) == [entries[1]]
    assert central.entry(entries[1]).data == sale.data
    assert central.recall_grants(till.name).grants_recalled == 1


def report_of(till: SupportTerminal) -> SignedReport:
    assert till.enrolment is not None
    report = JournalReport(
        format="loyalty-report-1",
        terminal=till.name,
        journal=till.journal,
        epoch=till.enrolment.epoch,
        acknowledged_seq=2,
        acknowledged_hash=till.recorded[1].hash.hex(),
        floor_seq=0,
        floor_hash="",
        head_seq=2,
        revoked=False,
        grants=(),
        more=False,
    )
    text = dumps(report).decode()
    return SignedReport(report=text, signature=till.key.sign(document_signing_input("report", text)))


def test_a_revoked_terminal_may_only_upload(central: Any, kind: str, site: Site) -> None:
    till = enrolled(central)
    assert central.revoke_terminal(till.name).state == "revoked"
    with as_terminal(kind, site, till) as line:
        with pytest.raises(TerminalRevoked):
            line.identify("1", till.journal)
        assert line.upload(till.journal, *till.upload()).watermark == 1
    assert central.create_terminal(till.name).code


def test_what_could_not_be_judged_is_judged_anew(central: Any, kind: str, site: Site) -> None:
    till = enrolled(central)
    member = central.create_member([new("card")])
    till.sale(basket_of(1_000), member.member_id, points=999)
    unreadable = till.record_bytes(b'{"v":1')
    with as_terminal(kind, site, till) as line:
        outcomes = line.upload(till.journal, *till.upload()).outcomes
        assert [one.outcome for one in outcomes] == ["applied", "quarantined", "quarantined"]
    entry, nameless = (one for one in central.quarantine() if one.terminal == till.name)
    assert central.entry(f"{till.name}/{till.journal}/3").data == central.entry(nameless).data == unreadable.data
    judged = central.judge_quarantine([entry])
    assert [(one.entry_id, one.outcome) for one in judged.judged] == [(entry.entry_id, "quarantined")]
    assert entry.entry_id in {one.entry_id for one in central.judge_quarantine(all=True).judged}


# The programme


def test_a_programme_is_checked_tried_and_activated(central: Any) -> None:
    before = max(one.version for one in central.programmes())
    text = PROGRAMME.replace('"version": 1', f'"version": {before + 1}').replace('"points": 1,', '"points": 2,')
    assert central.validate_programme(text).valid
    check = central.validate_programme(text.replace("earning", "erning"))
    assert not check.valid
    assert check.findings
    assert central.dry_run_programme(text, days=300).version == before + 1
    with pytest.raises(ProgrammeInvalid) as raised:
        central.activate_programme(text.replace("earning", "erning"))
    assert len(raised.value.extra["findings"]) == len(check.findings)
    later = datetime.now(UTC) + timedelta(days=3)
    made = central.activate_programme(text, in_force_at=later)
    assert (made.version, made.state) == (before + 1, "scheduled")
    known = central.programme(made)
    assert known.signed is not None
    assert known.signed.document == text
    assert central.programme(known, known=known) is known
    assert central.withdraw_programme(made).version == made.version


# Keys, jobs, totals


def test_keys_have_scopes_and_are_rotated(central: Any, kind: str, site: Site) -> None:
    made = central.create_api_key(new("key"), "back-office")
    rotated = central.rotate_api_key(made.key, hours=1)
    for secret in (made.secret, rotated.secret):
        with connected(kind, site.settings(token=secret)) as office:
            member = office.create_member([new("card")])
            with pytest.raises(ScopeMissing, match="administrator"):
                office.merge_members(member, "m", "x")
    assert central.revoke_api_key(made.key).revoked_at is not None
    with connected(kind, site.settings(token=made.secret)) as office, pytest.raises(AccessRefused, match="has ended"):
        office.member(member)
    states = {one.key_id: one.revoked_at is None for one in central.api_keys(limit=2)}
    assert (states[made.key.key_id], states[rotated.key.key_id]) == (False, True)


def test_who_may_only_read_sees_names_masked(central: Any, kind: str, site: Site) -> None:
    member = central.create_member([new("card")], name="Ana Sousa")
    with connected(kind, site.settings("read-only")) as reader:
        assert reader.member(member).name != "Ana Sousa"
        with pytest.raises(ScopeMissing):
            reader.adjust(member, 5, "x")


def test_central_tells_how_it_is(central: Any) -> None:
    assert central.health().status == "ok"
    assert {one.job for one in central.jobs()}
    assert list(central.totals(limit=1)) == list(central.totals())
    made = central.create_terminal(new("till"))
    assert ("terminal-added", made.terminal) in {(one.act, one.subject) for one in central.audit()}


# The page


def test_the_page_runs_and_prints_what_it_says(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_CENTRAL_URL", site.url)
    monkeypatch.setenv("LOYALTY_CENTRAL_TOKEN", site.keys["administrator"])
    names: dict[str, object] = {}
    for code in snippets(PAGE):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, PAGE.name, "exec"), names)
        assert output.getvalue().splitlines() == promised(code), code


def test_the_page_names_every_method() -> None:
    rows = PAGE.read_text(encoding="utf-8").partition("## What there is")[2].splitlines()
    named = [name for row in rows if row.startswith("| ") for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(ENDPOINTS)


# Keys of idempotency


def test_a_write_counts_once_under_its_key(central: Any) -> None:
    member = central.create_member([new("card")])
    key = new("order")
    first = central.adjust(member, 10, "order", idempotency_key=key)
    assert central.adjust(member, 10, "order", idempotency_key=key) == first
    with pytest.raises(IdempotencyConflict):
        central.adjust(member, 11, "order", idempotency_key=key)
    assert central.member(member).balance == 10
