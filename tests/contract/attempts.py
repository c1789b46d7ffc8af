"""What one shop may try with the other's names in the body of a call. Every call that takes a body has its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loyalty_sdk.codec import dumps, encode
from loyalty_sdk.envelope import JournalOpenedBody, document_signing_input
from loyalty_sdk.protocol import SignedReport
from tests.contract.shops import ALIAS, PROGRAMME, Shop
from tests.support.terminal import basket_of, grant_use

__all__ = ["BODIES", "Attempt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One body, and the headers that belong to it."""

    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def _json(*bodies: Mapping[str, Any]) -> list[Attempt]:
    return [Attempt(body=dumps(body)) for body in bodies]


def _enrol(mine: Shop, theirs: Shop) -> list[Attempt]:
    """A code is the only proof of an enrolment: one's own, with the other's key."""
    return [Attempt(body=dumps(theirs.till.enrolment_request(str(mine.names["code"][0]))))]


def _identify(mine: Shop, theirs: Shop) -> list[Attempt]:
    return _json(*({"alias": alias, "journal": theirs.till.journal} for alias in theirs.names["alias"]))


def _grant(mine: Shop, theirs: Shop) -> list[Attempt]:
    asked = {"journal": theirs.till.journal, "points": 1, "points_min": 1}
    used = theirs.names["redemption_id"][0]
    return _json(
        *({**asked, "redemption_id": "new", "member_id": member} for member in theirs.names["member_id"]),
        {**asked, "redemption_id": used, "member_id": mine.names["member_id"][0]},
    )


def _upload(mine: Shop, theirs: Shop) -> list[Attempt]:
    """The other's upload as it is, and one's own entries about the other's members, sales, grants and ids."""
    thief = replace(mine.till, journal=theirs.till.journal, recorded=[])
    thief.record("journal_opened", JournalOpenedBody(agent_version="test"))
    sale = theirs.till.recorded[1].entry
    member_id = str(theirs.names["member_id"][0])
    uses = [grant_use(grant, 10) for grant in theirs.grants]
    thief.sale(basket_of(10_000), member_id)
    thief.sale(basket_of(10_000), member_id, id=sale.id, receipt_key=sale.receipt_key)
    thief.sale(basket_of(10_000), member_id, redemption=thief.redemption(), uses=uses)
    thief.linked_return(theirs.till.recorded[3], kind="void")
    thief.unlinked_return(basket_of(10_000), member_id)
    thief.release(member_id, *uses)
    for grant in theirs.grants:
        thief.close_grant(grant, 10)
    return [
        Attempt(body=body, headers={"Content-Type": "application/x-ndjson"} | headers.to_headers())
        for headers, body in (theirs.till.upload(), thief.upload())
    ]


def _report(mine: Shop, theirs: Shop) -> list[Attempt]:
    """The other's report, and its grants in a report of one's own."""
    own = replace(theirs.knows(), terminal=mine.till.name, revoked=True, grants=theirs.grants)
    text = dumps(own).decode()
    signed = SignedReport(report=text, signature=mine.till.key.sign(document_signing_input("report", text)))
    return _json(encode(theirs.report()), encode(signed))


def _merge(mine: Shop, theirs: Shop) -> list[Attempt]:
    members = (*mine.names["member_id"], *theirs.names["member_id"])
    return _json(*({"source_member_id": member, "reason": "one person"} for member in members))


def _judge(mine: Shop, theirs: Shop) -> list[Attempt]:
    return _json(*({"entries": [entry]} for entry in theirs.names["entry_id"]), {"all": True})


def _documents(mine: Shop, theirs: Shop) -> list[Attempt]:
    return _json({"document": PROGRAMME % ("Clube", 1)}, {"document": PROGRAMME % ("Clube", 17)})


BODIES: Mapping[str, Callable[[Shop, Shop], list[Attempt]]] = {
    "POST /v1/enrolments": _enrol,
    "POST /v1/members/identify": _identify,
    "POST /v1/grants": _grant,
    "POST /v1/journals/{journal}/entries": _upload,
    "POST /v1/journals/{journal}/reports": _report,
    "POST /v1/members": lambda mine, theirs: _json(*({"aliases": [alias]} for alias in theirs.names["alias"])),
    "PATCH /v1/members/{member_id}": lambda mine, theirs: _json({"name": "Mine"}),
    "POST /v1/members/search": lambda mine, theirs: _json(*({"alias": alias} for alias in theirs.names["alias"])),
    "POST /v1/members/{member_id}/aliases": lambda mine, theirs: _json({"alias": ALIAS}, {"alias": "mine"}),
    "POST /v1/members/{member_id}/adjustments": lambda mine, theirs: _json({"points": 5, "reason": "mine"}),
    "POST /v1/members/{member_id}/write-offs": lambda mine, theirs: _json({"points": 5, "reason": "mine"}),
    "POST /v1/members/{member_id}/merge": _merge,
    "POST /v1/terminals": lambda mine, theirs: _json(*({"terminal": name} for name in theirs.names["terminal"])),
    "POST /v1/quarantine/judge": _judge,
    "POST /v1/programmes": _documents,
    "POST /v1/programmes/validate": _documents,
    "POST /v1/programmes/dry-run": _documents,
    "POST /v1/keys": lambda mine, theirs: _json({"name": "mine", "scope": "administrator"}),
    "POST /v1/keys/{key_id}/rotate": lambda mine, theirs: _json({"hours": 0}),
}
