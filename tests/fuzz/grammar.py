"""What the bytes of a receipt may be: printable text in lines, and the commands of our templates with their values.

Written as a grammar of its own, so that a byte which the renderer lets through is not passed over by code of the
renderer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TEXT = rb"[\x20-\x7e\x80-\xff]+"

_ESCPOS = re.compile(
    b"|".join(
        (
            TEXT,
            rb"\n",
            rb"\x1b@",
            rb"\x1bt[\x00\x02\x03\x10\x13]",
            rb"\x1ba[\x00-\x02]",
            rb"\x1bE[\x00\x01]",
            rb"\x1b![\x00\x10\x20\x30]",
            rb"\x1bd[\x01-\xff]",
            rb"\x1dV[\x00\x01]",
            rb"\x1d\xf9\x20\x01",
            rb"(?P<pulse>\x1bp[\x00\x01].{2})",
            rb"\x1d\(k\x04\x001A[\x00-\xff]\x00|\x1d\(k\x03\x001[CEQ][\x00-\xff]",
            # The data of a code holds no byte below the space, whatever its length says.
            rb"\x1d\(k[\x00-\xff]{2}1P0(?P<code>[\x20-\x7e\x80-\xff]*)",
            rb"\x1dh[\x08-\xff]\x1dw\x02\x1dH[\x00\x02]\x1dk[CI](?P<length>.)",
            rb"\x1dv0\x00(?P<width>.{2})(?P<height>.{2})",
        )
    ),
    re.DOTALL,
)
_STAR = re.compile(
    b"|".join(
        (
            TEXT,
            rb"\n",
            rb"\x1b@",
            rb"\x1b\x1dt[\x01\x04\x06\x20]",
            rb"\x1b\x1da[\x00-\x02]",
            rb"\x1b[EF]",
            rb"\x1bi[\x00\x01]{2}",
            rb"\x1ba[\x01-\x7f]",
            rb"\x1bd[\x02\x03]",
            rb"(?P<pulse>\x1b\x07[\x01-\x7f]{2}\x07|\x1a)",
            rb"\x1b\x1dyS0\x02|\x1b\x1dyS1\x00|\x1b\x1dyS2[\x01-\x08]|\x1b\x1dyP",
            rb"\x1b\x1dyD1\x00.{2}(?P<code>[\x20-\x7e\x80-\xff]*)",
            rb"\x1b\*r[RAB]|\x1b\*rP0\x00|\x1b\*rE1\x00",
            rb"b(?P<row>[\x01-\x7f]\x00)",
        )
    ),
    re.DOTALL,
)
_TEXT = re.compile(TEXT + rb"|\n{6}\x1bm|\n|\x1b@")
_GRAMMARS = {"escpos": _ESCPOS, "star_line": _STAR, "text": _TEXT}
_ENTER, _LEAVE = b"\x1b*rA", b"\x1b*rB"


def foreign_bytes(data: bytes, dialect: str) -> bytes:
    """Return what stands at the first place that is neither text nor a command of the template; empty if all is."""
    return next((token for token, is_known in tokens(data, dialect) if not is_known), b"")


def tokens(data: bytes, dialect: str) -> Iterator[tuple[bytes, bool]]:
    """Give the texts and commands of a receipt, each with whether the template may have it, up to one it may not."""
    grammar, position, drawing = _GRAMMARS[dialect], 0, False
    while position < len(data):
        found = grammar.match(data, position)
        if found is None or found.lastgroup == "pulse":
            yield data[position : position + 8], False
            return
        yield found[0], True
        drawing = found[0] == _ENTER or (drawing and found[0] != _LEAVE)
        # Inside of a picture its dots are no text, whatever they look like.
        row = drawing and data[position : position + 1] == b"b"
        position = position + 3 + _number(data[position + 1 : position + 3]) if row else found.end() + _counted(found)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _counted(found: re.Match[bytes]) -> int:
    """How many bytes follow a command that names their number."""
    groups = found.groupdict()
    if groups.get("length") is not None:
        return groups["length"][0]
    if groups.get("width") is not None:
        return _number(groups["width"]) * _number(groups["height"])
    return 0
