"""What a printer is able to do, from its configuration. Never asked of the printer and never guessed.

Does not know models: `drivers.printer.models` makes profiles from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from drivers.errors import SettingsInvalid

__all__ = ["CODE_PAGE_NUMBERS", "ConfirmMethod", "Dialect", "Feature", "PrinterProfile", "StatusMethod"]

ConfirmMethod = Literal["none", "process_id", "status", "star_counter"]
StatusMethod = Literal["none", "automatic", "real_time"]
Dialect = Literal["escpos", "star_line", "star_raster", "text"]

# The numbers that Epson printers know these pages by (ESC t); other makes differ and say so in their manuals.
CODE_PAGE_NUMBERS = {"cp437": 0, "cp850": 2, "cp860": 3, "cp1252": 16, "cp858": 19}

_COLUMNS_MIN = 16
_COLUMNS_MAX = 120
_DOTS_MIN = 192
_DOTS_MAX = 832
_STAR_DIALECTS = ("star_line", "star_raster")


class Feature(StrEnum):
    """What a printer may have or lack."""

    CUT = "cut"
    DRAWER = "drawer"
    QR = "qr"
    BARCODE = "barcode"
    RASTER = "raster"


ALL_FEATURES = frozenset(Feature)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterProfile:
    """The paper, the one code page and the abilities of a printer, and how it tells that it printed.

    columns: characters of normal width on a line.
    code_page: cp858 covers Portuguese and Spanish with the euro sign, and so does cp1252; cp850 and cp860 lack
    the euro sign, cp437 most capitals with accents.
    code_page_number: the `n` of the command that selects the page; None takes Epson's number.
    confirm: "process_id" asks an Epson for the job's own id, "status" for the paper status after the job,
    "star_counter" a Star for its counter of ends of jobs, "none" believes that what was sent was printed only as
    far as `sent`.
    model: the name of the model, for people.
    dots: the printable width; 576 on 80 mm of paper, 384 on 58 mm, at 8 dots a millimetre.
    features: what it has; what it lacks is printed in another way or left out.
    status: how it tells of its cover and its paper: "automatic" (it is told to say so, GS a, and asked), "real_time"
    (it is asked, DLE EOT), "none". Both hold the connection, which many printers give to one program at a time.
    dialect: which commands it takes; "text" is a printer that is given lines alone.
    select_emulation: bytes that are sent before anything else, as for a printer with two command sets.
    """

    columns: int = 42
    code_page: str = "cp858"
    code_page_number: int | None = None
    confirm: ConfirmMethod = "none"
    model: str = "custom"
    paper_width_mm: int = 80
    dots: int = 576
    features: frozenset[Feature] = ALL_FEATURES
    status: StatusMethod = "none"
    dialect: Dialect = "escpos"
    select_emulation: bytes = b""

    def __post_init__(self) -> None:
        if not _COLUMNS_MIN <= self.columns <= _COLUMNS_MAX:
            raise SettingsInvalid(f"columns is {self.columns}; it must be {_COLUMNS_MIN} to {_COLUMNS_MAX}")
        if not _DOTS_MIN <= self.dots <= _DOTS_MAX:
            raise SettingsInvalid(f"dots is {self.dots}; it must be {_DOTS_MIN} to {_DOTS_MAX}")
        if self.code_page not in CODE_PAGE_NUMBERS:
            known = ", ".join(CODE_PAGE_NUMBERS)
            raise SettingsInvalid(f"code_page is {self.code_page!r}; it must be one of {known}")
        if self.code_page_number is not None and not 0 <= self.code_page_number <= 255:
            raise SettingsInvalid(f"code_page_number is {self.code_page_number}; it must be 0 to 255")
        for name, known_values in (("confirm", ConfirmMethod), ("status", StatusMethod), ("dialect", Dialect)):
            _check_choice(name, getattr(self, name), get_args(known_values))
        self._check_methods()

    def _check_methods(self) -> None:
        if self.dialect == "text" and (self.confirm != "none" or self.status != "none"):
            raise SettingsInvalid(f"model {self.model} is given lines alone: set confirm and status to none")
        if self.dialect in _STAR_DIALECTS and (
            self.confirm not in ("none", "star_counter") or self.status == "real_time"
        ):
            raise SettingsInvalid(
                f"model {self.model} speaks Star's commands: set confirm to star_counter or none, and status to "
                "automatic or none"
            )
        if self.confirm == "star_counter" and self.dialect not in _STAR_DIALECTS:
            raise SettingsInvalid(f"model {self.model} has no counter of Star's: set confirm to process_id or status")

    def supports(self, feature: Feature) -> bool:
        """Say whether the printer has this."""
        return feature in self.features

    @property
    def page_number(self) -> int:
        """The `n` of ESC t that selects the code page."""
        return CODE_PAGE_NUMBERS[self.code_page] if self.code_page_number is None else self.code_page_number


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SettingsInvalid(f"{name} is {value!r}; it must be {', '.join(known[:-1])} or {known[-1]}")
