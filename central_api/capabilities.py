"""What the ledger takes from outside: the clock, randomness and the keys. A simulator gives its own; programs the real.

No function of the ledger asks the machine for the time, for randomness or for an id in any other way.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from central_api.keys import KeyRing
from loyalty_sdk.ids import uuid7

__all__ = ["Capabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """`now` gives an aware datetime, `random_bytes(n)` n bytes that nobody can guess (`os.urandom` in programs)."""

    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    keys: KeyRing

    def new_id(self) -> str:
        """Return a UUIDv7: keys in time order fill an index faster."""
        return uuid7(self.now(), self.random_bytes)

    def new_random_id(self) -> str:
        """Return a UUIDv4 for what must not tell when it was made, such as a member."""
        return str(uuid.UUID(bytes=self.random_bytes(16), version=4))
