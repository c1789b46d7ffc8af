"""What stands on the paper after a stream of ESC/POS bytes. Does no I/O and answers through its return value.

Written from the command reference alone and not from what this project sends: it is the check on that. A command
that it does not know is kept in `strange`, never passed over in silence.

Source: Epson ESC/POS command reference.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

__all__ = ["Paper"]

_PAGES = {0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 17: "cp866", 19: "cp858"}
_LONG_ESC = {0x21: 1, 0x2D: 1, 0x32: 0, 0x33: 1, 0x40: 0, 0x45: 1, 0x47: 1, 0x4A: 1, 0x4D: 1, 0x52: 1, 0x61: 1,
             0x64: 1, 0x70: 3, 0x74: 1, 0x7B: 1}  # fmt: skip
_LONG_GS = {0x21: 1, 0x42: 1, 0x61: 1, 0x62: 1, 0x68: 1, 0x72: 1, 0x77: 1, 0x49: 1}
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]+")
_STRANGE_MAX = 100
_UNCUT_LINES_MAX = 10_000


class Paper:
    """A printer's paper of `columns` characters; `receipts` holds what was cut off, oldest first."""

    def __init__(self, *, columns: int, receipts_max: int) -> None:
        self.receipts: deque[str] = deque(maxlen=receipts_max)
        self.receipts_cut = 0
        self.drawer_pulses = 0
        self.strange: deque[bytes] = deque(maxlen=_STRANGE_MAX)
        self.paper_out = False
        self._columns = columns
        self._lines: list[str] = []
        self._stream = bytearray()
        self._qr = ""
        self._reset()

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they come, in any pieces, and return what the printer answers to them."""
        self._stream += data
        answers = bytearray()
        position = 0
        stream = memoryview(bytes(self._stream))
        while position < len(stream):
            taken, answer = self._take(stream[position:])
            if not taken:
                break
            position += taken
            answers += answer
        del self._stream[:position]
        return bytes(answers)

    def uncut(self) -> list[str]:
        """Return the lines that hang out of the printer, uncut."""
        return [*self._lines, self._line] if self._line else list(self._lines)

    def lose_partial(self) -> None:
        """Forget a command that was cut off, as a connection that ends does."""
        self._stream.clear()

    def _reset(self) -> None:
        self._page = "cp437"
        self._align = 0
        self._wide = 1
        self._line = ""
        self._line_columns = 0

    def _take(self, rest: memoryview) -> tuple[int, bytes]:
        """Return how many bytes the next command has, 0 when it is not complete, and the answer to it."""
        first = rest[0]
        if first == 0x1B:
            return self._take_fixed(rest, _LONG_ESC, self._escape)
        if first == 0x1D:
            return self._take_group(rest)
        if first == 0x10:
            return self._take_real_time(rest)
        run = _PRINTABLE.match(rest)
        if run:
            self._put(run[0].decode(self._page, errors="replace"))
            return run.end(), b""
        if first == 0x0A:
            self._end_line()
        elif first != 0x0D:
            self.strange.append(bytes(rest[:1]))
        return 1, b""

    def _take_fixed(
        self, rest: memoryview, lengths: dict[int, int], act: Callable[[int, bytes], bytes]
    ) -> tuple[int, bytes]:
        if len(rest) < 2:
            return 0, b""
        length = lengths.get(rest[1])
        if length is None:
            self.strange.append(bytes(rest[:2]))
            return 2, b""
        if len(rest) < 2 + length:
            return 0, b""
        return 2 + length, act(rest[1], bytes(rest[2 : 2 + length]))

    def _take_group(self, rest: memoryview) -> tuple[int, bytes]:
        if bytes(rest[1:2]) == b"(":
            return self._take_counted(rest)
        if bytes(rest[1:2]) == b"V":
            return self._take_cut(rest)
        return self._take_fixed(rest, _LONG_GS, self._group)

    def _take_counted(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 5:
            return 0, b""
        length = rest[3] + 256 * rest[4]
        if len(rest) < 5 + length:
            return 0, b""
        return 5 + length, self._counted(bytes(rest[2:3]), bytes(rest[5 : 5 + length]))

    def _take_cut(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 3:
            return 0, b""
        # The forms 65, 66, 97, 98 and so on carry how far to feed before the cut.
        length = 3 if rest[2] in (0, 1, 48, 49) else 4
        if len(rest) < length:
            return 0, b""
        self._cut()
        return length, b""

    def _take_real_time(self, rest: memoryview) -> tuple[int, bytes]:
        if len(rest) < 3:
            return 0, b""
        if rest[1] != 0x04:
            self.strange.append(bytes(rest[:3]))
            return 3, b""
        paper = 0x60 if self.paper_out and rest[2] == 4 else 0
        return 3, bytes([0x12 | paper])

    def _escape(self, command: int, values: bytes) -> bytes:
        if command == 0x40:
            self._reset()
        elif command == 0x74:
            self._page = self._page_of(values[0])
        elif command == 0x61:
            self._align = values[0] & 0x03
        elif command == 0x21:
            self._wide = 2 if values[0] & 0x20 else 1
        elif command == 0x64:
            self._feed(values[0])
        elif command == 0x4A:
            self._feed(1)
        elif command == 0x70:
            self.drawer_pulses += 1
        return b""

    def _page_of(self, number: int) -> str:
        if number not in _PAGES:
            self.strange.append(bytes([0x1B, 0x74, number]))
        return _PAGES.get(number, "cp437")

    def _group(self, command: int, values: bytes) -> bytes:
        if command == 0x21:
            self._wide = (values[0] >> 4) + 1
        elif command == 0x72:
            return bytes([0x0C if self.paper_out else 0x00])
        return b""

    def _counted(self, name: bytes, body: bytes) -> bytes:
        if name == b"H" and body[:2] == b"00" and len(body) == 6:
            return b"\x37\x22" + body[2:] + b"\x00"
        if name == b"k" and body[:1] == b"1":
            self._take_qr(body[1:])
        else:
            self.strange.append(b"\x1d(" + name)
        return b""

    def _take_qr(self, body: bytes) -> None:
        if body[:1] == b"P":
            self._qr = body[2:].decode("utf-8", errors="replace")
        elif body[:1] == b"Q":
            self._end_line_if_any()
            self._put_line(f"[QR {self._qr}]")

    def _put(self, text: str) -> None:
        for character in text:
            if self._line_columns + self._wide > self._columns:
                self._end_line()
            self._line += character
            self._line_columns += self._wide

    def _end_line(self) -> None:
        self._put_line(self._line)
        self._line = ""
        self._line_columns = 0

    def _end_line_if_any(self) -> None:
        if self._line:
            self._end_line()

    def _put_line(self, text: str) -> None:
        free = self._columns - max(self._line_columns, len(text))
        indent = {0: 0, 1: free // 2, 2: free}.get(self._align, 0)
        self._lines.append((" " * max(indent, 0) + text).rstrip())
        # A roll has an end too: what was never cut off goes, the oldest first.
        del self._lines[:-_UNCUT_LINES_MAX]

    def _feed(self, lines: int) -> None:
        self._end_line_if_any()
        self._lines += [""] * lines

    def _cut(self) -> None:
        self._end_line_if_any()
        self.receipts.append("\n".join(self._lines).rstrip("\n") + "\n")
        self.receipts_cut += 1
        self._lines.clear()
