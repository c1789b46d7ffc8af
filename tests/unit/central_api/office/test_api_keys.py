"""API keys: told once, kept hashed, rotated without an interruption; scopes; tenants."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from central_api.office.api_keys import add_key, authenticate_key, check_scope, revoke_key, rotate_key
from central_api.problems import Refused
from central_api.storage.installation import install
from central_api.storage.schema_office import api_keys
from loyalty_sdk.codec import decode
from loyalty_sdk.office import KeyRequest, KeyRotation, KeySecret, Scope
from tests.unit.central_api.office_support import SCOPES, Desk, Premises, problem_of
from tests.unit.central_api.support import TENANT, World

REQUEST = KeyRequest(name="till desk", scope="back-office")


def problem(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.problem.name


def proves(world: World, secret: str) -> bool:
    try:
        authenticate_key(world.connection, secret, world.now)
    except Refused as refused:
        return refused.problem.name != "access-refused"
    return True


def test_a_secret_is_kept_as_its_hash_only(world: World) -> None:
    made = add_key(world.connection, world.capabilities, TENANT, REQUEST)
    assert made.secret.startswith(f"lk_{made.key.key_id}_")
    row: Any = world.connection.execute(select(api_keys)).one()
    assert row.secret_hash == hashlib.sha256(made.secret.encode()).hexdigest()
    assert made.secret.rpartition("_")[2] not in str(row._mapping)
    key = authenticate_key(world.connection, made.secret, world.now)
    assert (key.tenant, key.key_id, key.scope, key.line) == (TENANT, made.key.key_id, "back-office", made.key.key_id)


def test_what_is_no_secret_proves_nothing(world: World) -> None:
    made = add_key(world.connection, world.capabilities, TENANT, REQUEST)
    world.connection.execute(update(api_keys).values(secret_hash=""))
    for token in ("", "lk_", made.secret, made.secret[:-1], made.secret.upper(), hashlib.sha256(b"").hexdigest()):
        assert not proves(world, token)


def test_an_old_key_goes_on_for_its_hours(world: World) -> None:
    old = add_key(world.connection, world.capabilities, TENANT, REQUEST)
    new = rotate_key(world.connection, world.capabilities, TENANT, old.key.key_id, KeyRotation(hours=24))
    assert (new.key.name, new.key.scope, new.key.replaces) == ("till desk", "back-office", old.key.key_id)
    assert proves(world, old.secret)
    assert proves(world, new.secret)
    # A second rotation gives it no more time, and stays in the line of the first key.
    world.now += timedelta(hours=23)
    again = rotate_key(world.connection, world.capabilities, TENANT, old.key.key_id, KeyRotation(hours=24))
    newest = rotate_key(world.connection, world.capabilities, TENANT, new.key.key_id, KeyRotation(hours=0))
    assert {again.key.replaces, newest.key.replaces} == {old.key.key_id}
    assert proves(world, old.secret)
    assert not proves(world, new.secret)
    world.now += timedelta(hours=1)
    assert not proves(world, old.secret)
    assert proves(world, newest.secret)
    with pytest.raises(Refused, match="make a new one") as refused:
        rotate_key(world.connection, world.capabilities, TENANT, old.key.key_id, KeyRotation())
    assert problem(refused) == "conflict"


def test_a_revoked_key_ends_at_once(world: World) -> None:
    made = add_key(world.connection, world.capabilities, TENANT, REQUEST)
    first = revoke_key(world.connection, world.capabilities, TENANT, made.key.key_id)
    world.now += timedelta(hours=1)
    assert revoke_key(world.connection, world.capabilities, TENANT, made.key.key_id) == first
    assert not proves(world, made.secret)
    with pytest.raises(Refused) as refused:
        revoke_key(world.connection, world.capabilities, "other", made.key.key_id)
    assert problem(refused) == "not-found"


@pytest.mark.parametrize(("scope", "reaches"), [("read-only", 1), ("back-office", 2), ("administrator", 3)])
def test_a_scope_reaches_all_below_it(world: World, scope: Scope, reaches: int) -> None:
    made = add_key(world.connection, world.capabilities, TENANT, KeyRequest(name="x", scope=scope))
    key = authenticate_key(world.connection, made.secret, world.now)
    for wanted in SCOPES[:reaches]:
        check_scope(key, wanted)
    for wanted in SCOPES[reaches:]:
        with pytest.raises(Refused) as refused:
            check_scope(key, wanted)
        assert problem(refused) == "scope-missing"


@pytest.mark.parametrize("name", ["", " x", "a" * 65, "a\nb"])
def test_a_name_that_cannot_be_used(world: World, name: str) -> None:
    with pytest.raises(Refused) as refused:
        add_key(world.connection, world.capabilities, TENANT, KeyRequest(name=name, scope="read-only"))
    assert problem(refused) == "invalid-request"


async def test_keys_are_made_rotated_and_ended_over_http(premises: Premises, desk: Desk) -> None:
    answer = await desk.post("/v1/keys", KeyRequest(name="shop", scope="back-office"))
    made = decode(KeySecret, answer.json())
    path = f"/v1/keys/{made.key.key_id}"
    rotated = decode(KeySecret, (await desk.post(f"{path}/rotate", KeyRotation(hours=1))).json())
    both = Desk(
        premises=premises, tenant=desk.tenant, secrets={"back-office": made.secret, "read-only": rotated.secret}
    )
    for scope in both.secrets:
        assert (await both.get("/v1/members", scope=scope)).status_code == 200
    assert (await desk.ask("DELETE", path)).json()["revoked_at"] is not None
    assert problem_of(await both.get("/v1/members", scope="back-office")) == "access-refused"
    assert (await both.get("/v1/members", scope="read-only")).status_code == 200
    listed = await desk.items("/v1/keys", limit=2)
    assert [one["key_id"] for one in listed][-2:] == [made.key.key_id, rotated.key.key_id]
    assert "secret" not in str(listed)
    assert problem_of(await desk.post("/v1/keys", {"name": "x", "scope": "root"})) == "invalid-request"
    assert problem_of(await desk.post(f"{path}/rotate", {"hours": 721})) == "invalid-request"
    other = await premises.desk()
    assert problem_of(await other.post(f"{path}/rotate", KeyRotation())) == "not-found"
    assert problem_of(await other.ask("DELETE", path)) == "not-found"
    assert len(await other.items("/v1/keys")) == len(SCOPES)


async def test_a_key_that_ends_between_two_looks_does_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is part of the write's own transaction, not only of the look before its body is read."""
    member_id = await desk.member("1")
    capabilities = desk.premises.central.capabilities
    key_id = desk.secrets["administrator"].split("_")[1]

    async def read_slowly(*_: Any) -> bytes:
        await desk.write(lambda connection: revoke_key(connection, capabilities, desk.tenant, key_id))
        return b'{"points":5,"reason":"a gift"}'

    monkeypatch.setattr("central_api.api.office_calls.read_body", read_slowly)
    answer = await desk.post(f"/v1/members/{member_id}/adjustments", {})
    assert problem_of(answer) == "access-refused"
    monkeypatch.undo()
    assert (await desk.get(f"/v1/members/{member_id}", scope="read-only")).json()["available"] == 0


def test_two_tenants_keys_are_apart(world: World) -> None:
    install(world.connection, world.capabilities, "other")
    made = add_key(world.connection, world.capabilities, "other", REQUEST)
    assert authenticate_key(world.connection, made.secret, world.now).tenant == "other"
