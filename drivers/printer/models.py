"""The printers of `models.toml`: what each supports and where that is from. Does not find out which one is there."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from drivers.errors import SettingsInvalid
from drivers.printer.profile import ConfirmMethod, Dialect, Feature, PrinterProfile, StatusMethod

__all__ = ["Paper", "PrinterModel", "printer_model", "printer_models"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A width of paper that a model takes, with what fits on a line."""

    width_mm: int
    dots: int
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterModel:
    """One model. `verified`: a manual of the maker was read; else `notes` says what was done without one."""

    key: str
    maker: str
    name: str
    verified: bool
    sources: tuple[str, ...]
    notes: str
    code_page: str
    code_pages: Mapping[str, int]
    features: frozenset[Feature]
    papers: tuple[Paper, ...]
    confirm: ConfirmMethod = "none"
    status: StatusMethod = "none"
    dialect: Dialect = "escpos"
    select_emulation: bytes = b""

    def profile(
        self,
        *,
        paper_width_mm: int | None = None,
        columns: int | None = None,
        code_page: str | None = None,
        code_page_number: int | None = None,
        confirm: ConfirmMethod | None = None,
        status: StatusMethod | None = None,
    ) -> PrinterProfile:
        """Return the profile of this model; what is given takes the place of what the model says.

        Raises SettingsInvalid for paper that it does not take, and for a code page whose number nobody named.
        """
        paper = self._paper(paper_width_mm)
        page = code_page or self.code_page
        return PrinterProfile(
            columns=columns or paper.columns,
            code_page=page,
            code_page_number=self._page_number(page) if code_page_number is None else code_page_number,
            confirm=confirm or self.confirm,
            model=self.key,
            paper_width_mm=paper.width_mm,
            dots=paper.dots,
            features=self.features,
            status=status or self.status,
            dialect=self.dialect,
            select_emulation=self.select_emulation,
        )

    def _paper(self, width_mm: int | None) -> Paper:
        fitting = [paper for paper in self.papers if width_mm in (None, paper.width_mm)]
        if not fitting:
            widths = " or ".join(str(paper.width_mm) for paper in self.papers)
            raise SettingsInvalid(f"printer model {self.key} takes paper of {widths} mm, not {width_mm}: correct it")
        return fitting[0]

    def _page_number(self, page: str) -> int | None:
        # A printer that is given lines alone is told no page: it has the one that is set at its own switches.
        if self.dialect == "text" or page in self.code_pages:
            return self.code_pages.get(page)
        known = ", ".join(self.code_pages)
        raise SettingsInvalid(
            f"printer model {self.key} is known to have the code pages {known}, not {page}: choose one of them, or "
            "give code_page_number from its manual"
        )


@cache
def printer_models() -> Mapping[str, PrinterModel]:
    """Return every model by its key, as `epson-tm-t88`."""
    text = files("drivers.printer").joinpath("models.toml").read_text(encoding="utf-8")
    return MappingProxyType({key: _model(key, entry) for key, entry in tomllib.loads(text).items()})


def printer_model(key: str) -> PrinterModel:
    """Return the model of this key. Raises SettingsInvalid, which names the known ones."""
    model = printer_models().get(key)
    if model is None:
        raise SettingsInvalid(f"printer model {key!r} is not known; it must be one of {', '.join(printer_models())}")
    return model


def _model(key: str, entry: Mapping[str, Any]) -> PrinterModel:
    return PrinterModel(
        **(
            dict(entry)
            | {
                "key": key,
                "sources": tuple(entry["sources"]),
                "features": frozenset(Feature(name) for name in entry["features"]),
                "papers": tuple(Paper(**paper) for paper in entry["papers"]),
                "select_emulation": bytes.fromhex(entry.get("select_emulation", "")),
            }
        )
    )
