"""The roll of paper of a printer twin: what stands on it, as text and as parts to draw. Knows no commands."""

from __future__ import annotations

from collections import deque

from drivers.printer.document import Align, Barcode, Cut, Element, Feed, Logo, QrCode
from drivers.printer.layout import LaidLine

__all__ = ["Roll"]

_STRANGE_MAX = 100
_UNCUT_LINES_MAX = 10_000
_PICTURES_MAX = 1_000


class Roll:
    """Paper of `columns` characters; `receipts` holds what was cut off as text, oldest first, `pictures` as parts.

    The sensors are attributes: `cover_open`, `paper_out`, `paper_near_end`. What a printer of this kind does not
    know is kept in `strange`, never passed over in silence.
    """

    def __init__(self, *, columns: int, receipts_max: int) -> None:
        self.columns = columns
        self.receipts: deque[str] = deque(maxlen=receipts_max)
        self.pictures: deque[tuple[LaidLine | Element, ...]] = deque(maxlen=min(receipts_max, _PICTURES_MAX))
        self.receipts_cut = 0
        self.drawer_pulses = 0
        self.strange: deque[bytes] = deque(maxlen=_STRANGE_MAX)
        self.cover_open = False
        self.paper_out = False
        self.paper_near_end = False
        self._lines: list[str] = []
        self._parts: list[LaidLine | Element] = []
        self._reset_style()

    @property
    def prevented(self) -> bool:
        """Whether this printer cannot print now."""
        return self.cover_open or self.paper_out

    def uncut(self) -> list[str]:
        """Return the lines that hang out of the printer, uncut."""
        return [*self._lines, self._line] if self._line else list(self._lines)

    def uncut_parts(self) -> tuple[LaidLine | Element, ...]:
        """Return what hangs out of the printer, to be drawn."""
        return tuple(self._parts)

    def _reset_style(self) -> None:
        self._page = "cp437"
        self._align = Align.LEFT
        self._bold = False
        self._wide = 1
        self._high = 1
        self._line = ""
        self._line_columns = 0

    def _put(self, text: str) -> None:
        for character in text:
            if self._line_columns + self._wide > self.columns:
                self._end_line()
            self._line += character
            self._line_columns += self._wide

    def _end_line(self) -> None:
        self._put_line(self._line, max(self._line_columns, len(self._line)))
        part = LaidLine(
            text=self._line,
            align=self._align,
            bold=self._bold,
            double_height=self._high > 1,
            double_width=self._wide > 1,
        )
        self._put_part(part)
        self._line = ""
        self._line_columns = 0

    def _end_line_if_any(self) -> None:
        if self._line:
            self._end_line()

    def _put_code(self, part: QrCode | Barcode | Logo, text: str) -> None:
        self._end_line_if_any()
        self._put_line(text, len(text))
        self._put_part(part)

    def _put_line(self, text: str, columns: int) -> None:
        free = max(0, self.columns - columns)
        indent = {Align.LEFT: 0, Align.CENTER: free // 2, Align.RIGHT: free}[self._align]
        self._lines.append((" " * indent + text).rstrip())
        # A roll has an end too: what was never cut off goes, the oldest first.
        del self._lines[:-_UNCUT_LINES_MAX]

    def _put_part(self, part: LaidLine | Element) -> None:
        self._parts.append(part)
        del self._parts[:-_UNCUT_LINES_MAX]

    def _feed(self, lines: int) -> None:
        self._end_line_if_any()
        self._lines += [""] * lines
        if lines:
            self._put_part(Feed(lines=lines))

    def _cut(self) -> None:
        self._end_line_if_any()
        self.receipts.append("\n".join(self._lines).rstrip("\n") + "\n")
        self.pictures.append((*self._parts, Cut()))
        self.receipts_cut += 1
        self._lines.clear()
        self._parts.clear()
