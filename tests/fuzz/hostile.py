"""Texts that want to be commands, and every field of a receipt filled with them."""

from __future__ import annotations

import copy
import unicodedata
from dataclasses import fields, is_dataclass
from random import Random
from typing import Any, TypeVar

Filled = TypeVar("Filled")

COMMANDS = (
    "\x1bp\x00\x19\xfa", "\x1b@", "\x1bt\x10", "\x1dV\x00", "\x10\x14\x01\x00\x01", "\x10\x04\x01", "\x10\x05\x02",
    "\x1d(k\x03\x001Q0", "\x1d(H\x06\x0000abcd", "\x1dv0\x00\x01\x00\x01\x00\xff", "\x1bd\xff", "\x1c.", "\x07",
    "\x1d\xf9 \x00", "\x17", "\x1bd\x02", "\x1b\x1dyP", "\x1b*rA", "\x1b\x06\x01", "\x00", "\r\n", "\x0c", "\x18",
    "\x7f", "\x9b2J",
)  # fmt: skip
OTHERS = (
    "João", unicodedata.normalize("NFD", "São Tomé ãõç"), "€", "東京", "😀", "\u202eabc\u2066", "\u200b\ufeff",
    "\ud800", "\u2028", "\xa0", "\xb8", "ﬁ", "Ⅷ", "{", "{{", "\u0301", "ß", "‰", "١٢٣", "\uff0d", "A" * 60, " " * 50,
    "\t", "--", "{BLOY",
)  # fmt: skip
# Not texts but names of a format, which decide how the rest is printed.
NO_TEXTS = frozenset({"currency", "locale", "quantity", "kind", "entry_id", "timezone", "unit", "version"})


class Hostile:
    """Makes texts, the same ones from the same seed, and counts how many of them it gave away."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.count = 0

    def text(self) -> str:
        """A text of one to five pieces, at most a few hundred characters."""
        self.count += 1
        return "".join(self._piece() for _ in range(self._random.randint(1, 5)))

    def _piece(self) -> str:
        kind = self._random.random()
        if kind < 0.4:
            return self._random.choice(COMMANDS)
        if kind < 0.7:
            return self._random.choice(OTHERS)
        highest = 0x110000 if kind < 0.8 else 0x100
        return "".join(chr(self._random.randrange(highest)) for _ in range(self._random.randint(1, 8)))

    def filled(self, value: Filled) -> Filled:
        """Return a copy of a tree of dataclasses with a text of ours in the place of every text in it.

        The checks of the types are passed by: what they would refuse today may come from an old file or a new field.
        """
        return self._filled(value)  # type: ignore[no-any-return]  # It goes by what it finds.

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text()
        if isinstance(value, tuple):
            return tuple(self._filled(item) for item in value)
        if not is_dataclass(value) or isinstance(value, type):
            return value
        twin = copy.copy(value)
        for field in fields(value):
            if field.name not in NO_TEXTS and field.init:
                object.__setattr__(twin, field.name, self._filled(getattr(value, field.name)))
        return twin
