"""The character NUL, which PostgreSQL keeps in no text: refused in every question, quarantined in an entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from loyalty_sdk.codec import dumps, loads
from loyalty_sdk.envelope import GrantClosedBody
from tests.contract.attempts import BODIES
from tests.contract.examiner import labels
from tests.contract.opened import DOCUMENT, Opened, Sent, described, names_in, paths
from tests.support.postgresql import Server
from tests.support.terminal import basket_of, grant_use

CALLS = labels(DOCUMENT)
UPLOAD = "POST /v1/journals/{journal}/entries"


@pytest.fixture(scope="module")
def url(postgresql: Server) -> Iterator[str]:
    """Only there: SQLite would keep it, and the check is the same for both."""
    with postgresql.database() as made:
        yield made.render_as_string(hide_password=False)


def with_nul(value: Any) -> Iterator[Any]:
    """The same JSON value, once for each text in it, with a NUL in that text."""
    if isinstance(value, str):
        yield value + "\0"
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from (value | {name: changed} for changed in with_nul(item))
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from ([*value[:index], changed, *value[index + 1 :]] for changed in with_nul(item))


def requests(central: Opened, call: str) -> list[Sent]:
    """A request for each text that a call takes."""
    shop = central.site.shop
    path = paths(call, shop)[0]
    found = [Sent(path=path, query={name: "a\0"}) for name in names_in(call, "query")]
    for name in names_in(call, "path"):
        found.append(Sent(path=path.replace(str(shop.names[name][0]), "a%00"), body=b"{}", headers={"If-Match": "*"}))
    if "requestBody" in described(call) and call != UPLOAD:
        body = loads(BODIES[call](shop, shop)[0].body or b"")
        found += [Sent(path=path, body=dumps(changed), headers={"If-Match": "*"}) for changed in with_nul(body)]
    return found


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ("GET /v1/health", UPLOAD)])
async def test_no_question_holds_one(central: Opened, call: str) -> None:
    before = await central.rows(central.site.shop)
    for sent in requests(central, call):
        answer = await central.send(call, central.site.shop, sent)
        assert answer.status_code in (404, 422), (sent, answer.text)
    assert await central.rows(central.site.shop) == before


async def test_an_entry_with_one_holds_back_no_other(central: Opened) -> None:
    shop = central.site.shop
    till, member_id = shop.till, str(shop.names["member_id"][0])
    first = len(till.recorded) + 1
    use = replace(grant_use(shop.grants[0], 1), grant_id="a grant with \0")
    till.sale(basket_of(100), id="an id with \0")
    till.sale(basket_of(100), member_id="a member with \0")
    till.sale(basket_of(100), member_id=member_id, redemption=till.redemption(), uses=[use])
    till.release("a member with \0", use)
    till.record("grant_closed", GrantClosedBody(grant_id=use.grant_id, member_id=member_id, points=1, reason="expired"))
    till.sale(basket_of(100), member_id=member_id)
    headers, body = till.upload(first)
    media = {"Content-Type": "application/x-ndjson"}
    sent = Sent(path=f"/v1/journals/{till.journal}/entries", body=body, headers=media | headers.to_headers())
    answer = await central.send(UPLOAD, shop, sent)
    assert answer.status_code == 200, answer.text
    outcomes = [one["outcome"] for one in answer.json()["outcomes"]]
    assert outcomes == ["quarantined"] * 5 + ["applied"], answer.text
