"""How many statements a call takes: each costs about as much as reading an entry, so nobody adds one unnoticed."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from central_api.programmes.versions import programme_in_force, version_in_force
from central_api.storage.schema import grants, members, programmes, receipts
from central_api.storage.statements import among, among_keys, given, upsert_rows
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World

IDENTIFY_MAX = 11
UPLOAD_MAX = 22


def statements_of(world: World, work: Callable[[], Any]) -> list[str]:
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        found.append(statement)

    event.listen(world.connection, "before_cursor_execute", note)
    try:
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
        update(members).values(revision=2).where(members.c.tenant == TENANT, among(members.c.member_id, "these")),
    ):
        text = str(query.compile(dialect=world.connection.dialect))
        plan = world.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?"))
        assert not [row.detail for row in plan if row.detail.startswith("SCAN") and "json_each" not in row.detail]


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
