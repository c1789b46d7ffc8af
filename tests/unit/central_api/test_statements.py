"""How many statements a call takes: each costs about as much as reading an entry, so nobody adds one unnoticed."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event, insert

from central_api.programmes import programme_in_force, version_in_force
from central_api.schema import grants, programmes
from central_api.statements import among, given, upsert_rows
from tests.support.terminal import basket_of
from tests.unit.central_api.support import PROGRAMME, START, TENANT, World

IDENTIFY_MAX = 11
UPLOAD_MAX = 20


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
        programme = programme_in_force(world.connection, TENANT)
        assert programme is not None
        assert programme.name == name
        assert version_in_force(world.connection, TENANT) == 1
