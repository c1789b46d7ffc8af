"""One shop never sees or touches the other: every call is tried with one's credentials and the other's names.

Two tenants live in one database with the same of everything. After each call with the other's ids, cursors, codes,
documents and idempotency keys, no byte of the other is in an answer, and its rows are what they were. That something
is the other's cannot be told from its not being there at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from loyalty_sdk.codec import dumps
from tests.contract.attempts import BODIES, Attempt
from tests.contract.examiner import labels
from tests.contract.opened import DOCUMENT, Opened, Sent, described, names_in, paths
from tests.contract.shops import MARKER

CALLS = labels(DOCUMENT)
REPORT = "POST /v1/journals/{journal}/reports"
# The rival used it before: for whoever sends it from another tenant it is new.
REPEATED = "the-same-key"
NOBODY = "0190c2f0-0000-7000-8000-0000000000ff"
NOW = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+\+00:00")


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two shops, and the cursors that the second one's lists gave."""

    central: Opened
    cursors: dict[str, str]


@pytest.fixture(scope="module")
async def rivals(central: Opened) -> Rivals:
    """Let the rival write under an idempotency key, and read the first page of each of its lists."""
    rival, made = central.site.rival, Rivals(central, {})
    written = Sent(body=dumps({"aliases": [f"{MARKER}-new"], "name": MARKER}), headers={"Idempotency-Key": REPEATED})
    assert (await central.send("POST /v1/members", rival, written)).status_code == 200
    for call in CALLS:
        if "cursor" in names_in(call, "query"):
            first = Sent(path=paths(call, rival)[0], query={"limit": "1", "journal": rival.till.journal})
            answer = await central.send(call, rival, first)
            assert answer.status_code == 200, answer.text
            cursor = answer.json().get("next_cursor") or answer.json().get("cursor")
            if cursor:
                made.cursors[call] = cursor
    return made


def attempts(rivals: Rivals, call: str) -> list[Sent]:
    """Everything to try on a call: the rival's names in path, query and body, its cursor, its idempotency key."""
    mine, theirs = rivals.central.site.shop, rivals.central.site.rival
    headers = {"Idempotency-Key": REPEATED, "If-Match": "*"}
    queries = [{name: str(value)} for name in names_in(call, "query") for value in theirs.names.get(name, ())]
    if call in rivals.cursors:
        queries.append({"cursor": rivals.cursors[call], "journal": theirs.till.journal})
    bodies: list[Attempt] = BODIES[call](mine, theirs) if "requestBody" in described(call) else [Attempt()]
    return [
        Sent(path=path, query=query, body=attempt.body, headers={**headers, **attempt.headers})
        for path in paths(call, theirs)
        for query in queries or [{}]
        for attempt in bodies
    ]


@pytest.mark.parametrize("call", [call for call in CALLS if "{" in call])
async def test_what_is_the_rivals_is_as_if_it_were_not_there(rivals: Rivals, call: str) -> None:
    """Neither status nor text tells whether an id exists elsewhere."""
    mine, theirs = rivals.central.site.shop, rivals.central.site.rival
    attempt = BODIES[call](mine, theirs)[0] if "requestBody" in described(call) else Attempt()
    names = names_in(call, "path")
    values = {name: next(value for value in theirs.names[name] if value not in mine.names[name]) for name in names}
    found = []
    for given in (values, {name: NOBODY if isinstance(value, str) else 17 for name, value in values.items()}):
        path = call.split()[1].format(**given)
        headers = {"If-Match": "*", **attempt.headers}
        answer = await rivals.central.send(call, mine, Sent(path=path, body=attempt.body, headers=headers))
        text = answer.text
        for value in given.values():
            text = text.replace(str(value), "…")
        found.append((answer.status_code, NOW.sub("…", text)))
    assert found[0] == found[1]


# What a terminal delivers is its own from then on, even where it names the rival's ids: these calls come last.
DELIVERIES = [call for call in CALLS if call.startswith("POST /v1/journals")]


@pytest.mark.parametrize("call", [*(call for call in CALLS if call not in DELIVERIES), *DELIVERIES])
async def test_a_call_neither_shows_nor_changes_what_is_the_rivals(rivals: Rivals, call: str) -> None:
    before = await rivals.central.rows(rivals.central.site.rival)
    for sent in attempts(rivals, call):
        answer = await rivals.central.send(call, rivals.central.site.shop, sent)
        assert answer.status_code < 500, answer.text
        for value in (MARKER, *rivals.central.site.rival.own):
            assert value not in answer.text or sent.holds(value), answer.text
    after = await rivals.central.rows(rivals.central.site.rival)
    if call == REPORT:
        # One database lives one life: what one shop shows of a restored backup makes all shops wait for their tills.
        after, before = (
            {name: found for name, found in rows.items() if name != "recoveries"} for rows in (after, before)
        )
    assert after == before
