from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.ids import time_of_uuid7, uuid7

WHEN = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_the_layout_is_that_of_rfc_9562() -> None:
    # The example of RFC 9562, appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    tail = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(WHEN, lambda count: tail[:count]) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.binary(min_size=10, max_size=10))
def test_every_id_has_version_and_variant(tail: bytes) -> None:
    made = uuid.UUID(uuid7(WHEN, lambda count: tail[:count]))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_later_ids_sort_behind() -> None:
    ids = [uuid7(WHEN + timedelta(milliseconds=step), lambda count: b"\xff" * count) for step in range(3)]
    assert ids == sorted(ids)
    assert uuid7(WHEN + timedelta(milliseconds=1), lambda count: b"\0" * count) > ids[0]


@given(st.binary(min_size=10, max_size=10), st.integers(0, 10**12))
def test_an_id_says_when_it_was_made(tail: bytes, milliseconds: int) -> None:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert time_of_uuid7(uuid7(when, lambda count: tail[:count])) == when


def test_other_texts_say_no_time() -> None:
    for text in ("", "grant-1", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "02a5d712-eeec-4a43-bdba-9f8b5f5dc934"):
        assert time_of_uuid7(text) is None
