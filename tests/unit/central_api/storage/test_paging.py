"""Pages: each row that was there at the beginning comes once, whatever is added meanwhile."""

from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import select

from central_api.problems import Refused
from central_api.storage.paging import Paging, rows_after
from central_api.storage.schema import changes
from central_api.storage.statements import insert_missing
from tests.support.databases import Place
from tests.unit.central_api.support import TENANT, World, new_world, prove

ORDER = (changes.c.number, changes.c.key)
ROWS = st.lists(st.tuples(st.integers(-5, 5), st.text("ab", min_size=1, max_size=3)), unique_by=lambda row: row[1])


def add(world: World, rows: list[tuple[int, str]]) -> None:
    place = {"tenant": TENANT, "terminal": "t", "what": "grant"}
    values = [place | {"key": key, "number": number} for number, key in rows]
    insert_missing(world.connection, changes, values)


def test_no_row_is_skipped_or_repeated(place: Place) -> None:
    def law(before: list[tuple[int, str]], added: list[tuple[int, str]], limit: int, newest: bool) -> None:
        with new_world(place) as world:
            add(world, before)
            seen: list[Any] = []
            paging = Paging(name="x", limit=limit)
            while True:
                query = select(changes).where(changes.c.tenant == TENANT)
                rows, cursor = rows_after(world.connection, query, ORDER, paging, newest=newest)
                assert len(rows) <= limit
                seen += [(row.number, row.key) for row in rows]
                assert len(seen) <= len(before) + len(added)
                add(world, added)
                if cursor is None:
                    break
                paging = Paging(name="x", limit=limit, cursor=cursor)
            assert seen == sorted(set(seen), reverse=newest)
            assert set(before) <= set(seen)

    prove(place, law, before=ROWS, added=ROWS, limit=st.integers(1, 4), newest=st.booleans())


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "====",
        "A" * 3_000,
        Paging(name="other").cursor_of([1, "a"]),
        Paging(name="x", filters={"a": "b"}).cursor_of([1, "a"]),
        Paging(name="x").cursor_of([1]),
        Paging(name="x").cursor_of(["1", "a"]),
        Paging(name="x").cursor_of([True, "a"]),
        Paging(name="x").cursor_of([1, "a\0"]),
        Paging(name="x").cursor_of([1, None]),
    ],
)
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(Refused, match="begin without a cursor"):
        Paging(name="x", cursor=cursor).values([int, str])
