"""UUID version 7 from an injected clock and injected randomness (RFC 9562, section 5.7).

Version 7 keeps keys in time order, which makes unique indexes several times cheaper to fill than version 4. The
standard library offers it only from Python 3.14 on, and with its own clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["time_of_uuid7", "uuid7"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7(now: datetime, random_bytes: Callable[[int], bytes]) -> str:
    """Return a UUIDv7 as 36 lower-case characters; `random_bytes(n)` gives n bytes (`os.urandom` in programs)."""
    milliseconds = (now - _EPOCH) // _MILLISECOND & 0xFFFF_FFFF_FFFF  # `timestamp` is a float, and would round.
    tail = int.from_bytes(random_bytes(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    text = f"{value:032x}"  # Written by hand, as `uuid.UUID` takes longer than all the rest.
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def time_of_uuid7(text: str) -> datetime | None:
    """Return the time, to the millisecond, at which a UUIDv7 was made; None for any other text."""
    if not _UUID7.fullmatch(text):
        return None
    milliseconds = int(text[:8] + text[9:13], 16)
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
