"""Ids from an injected clock and injected randomness."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sync.host import Host


def test_an_id_is_a_uuid_7_of_the_clock() -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    host = Host(now=lambda: now, random_bytes=lambda count: b"\x5a" * count)
    made = uuid.UUID(host.new_id())
    assert made.version == 7
    assert made.int >> 80 == int(now.timestamp() * 1000)
    assert host.new_id() == str(made)
