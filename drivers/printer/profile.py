"""What a printer is able to do, from its configuration. Never asked of the printer and never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.errors import SettingsInvalid

__all__ = ["CODE_PAGE_NUMBERS", "ConfirmMethod", "PrinterProfile"]

ConfirmMethod = Literal["none", "process_id", "status"]

# The numbers that Epson printers know these pages by (ESC t); other makes differ and say so in their manuals.
CODE_PAGE_NUMBERS = {"cp437": 0, "cp850": 2, "cp860": 3, "cp1252": 16, "cp858": 19}

_COLUMNS_MIN = 16
_COLUMNS_MAX = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterProfile:
    """The width and the one code page of a printer, and how it tells that it printed.

    columns: characters of normal width on a line.
    code_page: cp858 covers Portuguese and Spanish with the euro sign, and so does cp1252; cp850 and cp860 lack
    the euro sign, cp437 most capitals with accents.
    code_page_number: the `n` of ESC t; None takes Epson's number.
    confirm: "process_id" asks an Epson for the job's own id, "status" for the paper status after the job, "none"
    believes that what was sent was printed only as far as `sent`.
    """

    columns: int = 42
    code_page: str = "cp858"
    code_page_number: int | None = None
    confirm: ConfirmMethod = "none"

    def __post_init__(self) -> None:
        if not _COLUMNS_MIN <= self.columns <= _COLUMNS_MAX:
            raise SettingsInvalid(f"columns is {self.columns}; it must be {_COLUMNS_MIN} to {_COLUMNS_MAX}")
        if self.code_page not in CODE_PAGE_NUMBERS:
            known = ", ".join(CODE_PAGE_NUMBERS)
            raise SettingsInvalid(f"code_page is {self.code_page!r}; it must be one of {known}")
        if self.code_page_number is not None and not 0 <= self.code_page_number <= 255:
            raise SettingsInvalid(f"code_page_number is {self.code_page_number}; it must be 0 to 255")
        if self.confirm not in ("none", "process_id", "status"):
            raise SettingsInvalid(f"confirm is {self.confirm!r}; it must be none, process_id or status")

    @property
    def page_number(self) -> int:
        """The `n` of ESC t that selects the code page."""
        return CODE_PAGE_NUMBERS[self.code_page] if self.code_page_number is None else self.code_page_number
