"""What nobody can use is deleted, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from central_api.jobs.retention import count_useless, remove_useless
from central_api.problems import Refused
from central_api.storage.schema import enrolment_codes
from central_api.storage.schema_office import api_keys, idempotency_keys
from central_api.storage.statements import insert_rows
from central_api.terminals import terminals
from loyalty_sdk.office import IDEMPOTENCY_HOURS
from tests.unit.central_api.support import TENANT, World


def remove(world: World, limit: int = 100) -> int:
    return remove_useless(world.connection, TENANT, world.now, limit)


def answer(world: World, name: str) -> dict[str, Any]:
    return {
        "tenant": TENANT,
        "actor": "key:1",
        "idempotency_key": name,
        "request_digest": b"d",
        "status": 200,
        "body": b"{}",
        "created_at": world.now,
    }


def key(world: World, name: str, **values: Any) -> dict[str, Any]:
    made = {"tenant": TENANT, "key_id": name, "name": name, "scope": "read-only", "secret_hash": f"hash of {name}"}
    return made | {"created_at": world.now, "expires_at": None, "revoked_at": None} | values


def test_an_answer_is_kept_for_as_long_as_its_write_may_be_repeated(world: World) -> None:
    insert_rows(world.connection, idempotency_keys, [answer(world, str(number)) for number in range(5)])
    world.now += timedelta(hours=IDEMPOTENCY_HOURS)
    insert_rows(world.connection, idempotency_keys, [answer(world, "later")])
    assert remove(world) == 0
    world.now += timedelta(seconds=1)
    assert count_useless(world.connection, TENANT, world.now) == 5
    assert [remove(world, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert world.connection.execute(select(idempotency_keys.c.idempotency_key)).scalars().all() == ["later"]


def test_a_code_that_enrolled_answers_its_terminal_again_until_it_expires(world: World) -> None:
    till = world.terminal(1)
    code = terminals.add_terminal(world.connection, world.capabilities, TENANT, "till-9")
    assert remove(world) == 0
    request = till.enrolment_request(code)
    first = terminals.enrol(world.connection, world.capabilities, request)
    assert remove(world) == 0
    assert terminals.enrol(world.connection, world.capabilities, request).token == first.token
    world.now += timedelta(hours=terminals.CODE_HOURS, seconds=1)
    assert remove(world) == 2
    assert world.connection.execute(select(enrolment_codes)).all() == []
    with pytest.raises(Refused, match="used or expired"):
        terminals.enrol(world.connection, world.capabilities, request)
    assert terminals.authenticate(world.connection, first.token).terminal == "till-9"


def test_a_secret_that_is_over_is_forgotten_and_its_key_is_not(world: World) -> None:
    soon = world.now + timedelta(hours=1)
    rows = [
        key(world, "lasting"),
        key(world, "rotated", expires_at=soon),
        key(world, "revoked", revoked_at=world.now),
    ]
    insert_rows(world.connection, api_keys, rows)
    assert [remove(world) for _ in range(2)] == [1, 0]
    world.now += timedelta(hours=1, seconds=1)
    assert [remove(world) for _ in range(2)] == [1, 0]
    query = select(api_keys.c.key_id, api_keys.c.secret_hash).order_by(api_keys.c.key_id)
    found = [tuple(row) for row in world.connection.execute(query)]
    assert found == [("lasting", "hash of lasting"), ("revoked", ""), ("rotated", "")]


def test_another_tenant_is_left_alone(world: World) -> None:
    insert_rows(world.connection, idempotency_keys, [answer(world, "1")])
    world.now += timedelta(days=9)
    assert remove_useless(world.connection, "other", world.now) == 0
