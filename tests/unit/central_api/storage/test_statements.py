"""How many statements a call takes: each costs about as much as reading an entry, so nobody adds one unnoticed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import bindparam, event, insert, literal_column, select, update
from sqlalchemy.exc import DBAPIError

from central_api.programmes.versions import programme_in_force, version_in_force
from central_api.storage import statements
from central_api.storage.schema import grants, members, programmes, receipts
from central_api.storage.schema_ledger import lots
from central_api.storage.statements import (
    among,
    among_keys,
    given,
    select_row,
    select_rows,
    select_value,
    upsert_rows,
)
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World

IDENTIFY_MAX = 11
UPLOAD_MAX = 24


def statements_of(world: World, work: Callable[[], Any]) -> list[str]:
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        found.append(statement)

    run = statements._Reading.run

    def note_and_run(query: Any, driver: Any, values: Any) -> list[Any]:
        found.append(query.text)
        return run(query, driver, values)

    event.listen(world.connection, "before_cursor_execute", note)
    try:
        # On SQLite queries go to the driver itself.
        with patch.object(statements._Reading, "run", note_and_run):
            work()
    finally:
        event.remove(world.connection, "before_cursor_execute", note)
    # On PostgreSQL locks come on top.
    return [statement for statement in found if "pg_advisory" not in statement and "FOR NO KEY" not in statement]


def test_a_member_is_identified_with_few_statements(world: World) -> None:
    world.member("1")
    till = world.terminal(1)
    world.identify(till, "1")
    assert len(statements_of(world, lambda: world.identify(till, "1"))) <= IDENTIFY_MAX


def test_many_entries_take_no_more_statements_than_one(world: World) -> None:
    member, till = world.member("1"), world.terminal(1)
    till.sale(basket_of(1000), member)
    world.upload(till)
    till.sale(basket_of(1000), member)
    few = statements_of(world, lambda: world.upload(till, 3))
    for _ in range(20):
        till.sale(basket_of(1000), member)
    many = statements_of(world, lambda: world.upload(till, 4))
    assert len(many) == len(few) <= UPLOAD_MAX


def test_one_statement_takes_any_number_of_values(world: World) -> None:
    query = grants.select().where(given(grants.c.tenant), among(grants.c.grant_id))
    for ids in (["a"], ["a", "b"], []):
        assert world.connection.execute(query, {"tenant": TENANT, "grant_id": ids}).all() == []


def test_keys_of_several_values_are_found_together(world: World) -> None:
    till = world.terminal(1)
    for _ in range(3):
        till.sale(basket_of(1000))
    world.upload(till)
    columns = [receipts.c[name] for name in ("store", "register", "business_date", "series", "number")]
    query = select(receipts.c.number).where(given(receipts.c.tenant), among_keys("keys", *columns))
    first, second, third = (tuple(row) for row in world.connection.execute(select(*columns).order_by(columns[-1])))
    for keys in ([], [first], [first, third], [first, (*second[:-1], "unknown")]):
        found = world.connection.execute(query, {"tenant": TENANT, "keys": keys}).scalars()
        assert sorted(found) == sorted(key[-1] for key in keys if key[-1] != "unknown")


def test_rows_are_found_by_an_index(world: World) -> None:
    """SQLAlchemy compares a condition of its own with 1 on SQLite, which then reads the whole table."""
    if world.connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL reads so small a table as a whole")
    columns = [receipts.c[name] for name in ("store", "register", "business_date", "series", "number")]
    of_tenant = given(receipts.c.tenant)
    for query in (
        select(grants.c.points).where(given(grants.c.tenant), among(grants.c.grant_id)),
        select(receipts.c.entry_id).where(of_tenant, among_keys("keys", *columns)),
        select(lots.c.points).where(given(lots.c.tenant), among_keys("keys", lots.c.member_id, lots.c.lot_id)),
        update(members).values(revision=2).where(members.c.tenant == TENANT, among(members.c.member_id, "these")),
    ):
        text = str(query.compile(dialect=world.connection.dialect))
        plan = world.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?"))
        assert not [row.detail for row in plan if row.detail.startswith("SCAN") and "json_each" not in row.detail]


def test_a_query_gives_the_rows_that_sqlalchemy_gives(world: World) -> None:
    """With types of our own both ways, constants, a limit, and values that are bound twice."""
    for alias in ("1", "2", "3"):
        world.member(alias)
    query = (
        select(members, (members.c.revision + 1).label("next"))
        .where(given(members.c.tenant), members.c.created_at <= bindparam("until", type_=members.c.created_at.type))
        .where(members.c.created_at <= bindparam("until", type_=members.c.created_at.type), members.c.revision >= 0)
        .order_by(members.c.member_id)
        .limit(bindparam("count"))
    )
    values = {"tenant": TENANT, "until": START + timedelta(days=365), "count": 2}
    expected = world.connection.execute(query, values).all()
    found = select_rows(world.connection, query, values)
    assert len(found) == 2
    assert [row._asdict() for row in found] == [row._asdict() for row in expected]
    assert [tuple(row) for row in found] == [tuple(row) for row in expected]
    assert select_row(world.connection, query, values).created_at == expected[0].created_at
    assert select_value(world.connection, query, values) == expected[0].tenant
    nobody = values | {"tenant": "nobody"}
    assert select_row(world.connection, query, nobody) is None
    assert select_value(world.connection, query, nobody) is None


def test_a_query_that_fails_is_told_as_every_other_statement(world: World) -> None:
    with pytest.raises(DBAPIError):
        select_rows(world.connection, select(literal_column("nothing").label("found")).select_from(members), {})


def test_the_text_of_a_query_is_always_the_same(world: World) -> None:
    if world.connection.dialect.name != "sqlite":
        pytest.skip("on PostgreSQL SQLAlchemy runs it")
    query = select(members.c.member_id).where(members.c.revision.in_((1, 2)))
    with pytest.raises(ValueError, match="among"):
        select_rows(world.connection, query, {})


def test_what_is_changed_is_what_was_named(world: World) -> None:
    """The statement of a table is kept by the columns that it changes."""
    row = {"tenant": TENANT, "version": 1, "document": "old", "key_id": "old", "signature": b"", "activated_at": START}
    upsert_rows(world.connection, programmes, [row])
    upsert_rows(world.connection, programmes, [row | {"document": "new", "key_id": "new"}], changing=("document",))
    found = world.connection.execute(programmes.select()).one()
    assert (found.document, found.key_id) == ("new", "old")


def test_a_version_is_what_its_document_says_also_after_a_restore(world: World) -> None:
    """A restored central may activate another document under a number that it had given before."""
    for name in ("Test", "Another"):
        world.connection.execute(programmes.delete())
        values = {"tenant": TENANT, "version": 1, "document": PROGRAMME.replace('"Test"', f'"{name}"')}
        more = {"key_id": "k", "signature": b"", "activated_at": START}
        world.connection.execute(insert(programmes), [values | more])
        programme = programme_in_force(world.connection, TENANT, START)
        assert programme is not None
        assert programme.name == name
        assert version_in_force(world.connection, TENANT, START) == 1
