"""Codes on their way to a meaning: one decoder for what a scanner sent, a keyboard wedge typed or a cashier keyed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from drivers.scanner.events import ScanEvent
from drivers.scanner.symbology import Symbology, decode
from loyalty_sdk.errors import ScanUnreadable
from loyalty_sdk.local import DecodeCall, IdentifyCall
from loyalty_sdk.model import EntryMethod, Scan
from terminal_agent.meaning import Meaning, MeaningReader

__all__ = ["ScanDesk"]

_log = logging.getLogger(__name__)

TEXT_LENGTH_MAX = 4_096
_ONE_SPELLING = frozenset({"cpf", "cnpj", "nif", "nie"})


class ScanDesk:
    """Makes scans of whatever brings a code."""

    def __init__(self, reader: MeaningReader, now: Callable[[], datetime]) -> None:
        self._reader = reader
        self._now = now

    def warm_up(self) -> None:
        """Import what most codes need."""
        self._reader.warm_up()

    def of_event(self, event: ScanEvent) -> Scan:
        """Return the scan that a scanner of the agent's made."""
        return self._scan(
            event.data, event.symbology, event.raw, entry_method="scanned", at=event.received_at, scanner=event.scanner
        )

    async def decode(self, call: DecodeCall) -> Scan:
        """Return what a text is. Raises ScanUnreadable."""
        if not call.data.strip() or len(call.data) > TEXT_LENGTH_MAX:
            raise ScanUnreadable(
                f"the text is empty or longer than {TEXT_LENGTH_MAX} characters: scan again, or key it in"
            )
        raw = call.data.encode()
        found = decode(raw.strip(), encoding_fallback="utf-8")
        return self._scan(found.data, found.symbology, raw, entry_method=call.entry_method, at=self._now(), scanner="")

    def in_one_spelling(self, call: IdentifyCall) -> IdentifyCall:
        """Return the question with the code as members register it: no AIM identifier, tax numbers without dots.

        A phone number stays as it is: whether cards are looked up by E.164 or by the national number is the chain's
        choice, and a POS that wants E.164 asks with `value` of the scan.
        """
        if call.symbology is None:
            found = decode(call.data.encode(), encoding_fallback="utf-8")
            call = replace(call, data=found.data, symbology=found.symbology.value)
        meaning = self._meaning(call.data, _symbology(call.symbology))
        return replace(call, data=meaning.value) if meaning.kind in _ONE_SPELLING else call

    def _meaning(self, data: str, symbology: Symbology) -> Meaning:
        try:
            return self._reader.read(data, symbology)
        except Exception:  # A library that fails on a code costs its meaning, never the scan.
            _log.exception("the meaning of a code could not be read; it is told as unknown")
            return Meaning(kind="unknown", value=data)

    def _scan(
        self, data: str, symbology: Symbology, raw: bytes, *, entry_method: EntryMethod, at: datetime, scanner: str
    ) -> Scan:
        meaning = self._meaning(data, symbology)
        return Scan(
            data=data,
            entry_method=entry_method,
            symbology=symbology.value,
            raw=raw,
            scanner=scanner,
            scanned_at=at,
            kind=meaning.kind,
            value=meaning.value,
            other_kinds=meaning.other_kinds,
            elements=meaning.elements,
            scan_data_type=symbology.scan_data_type,
        )


def _symbology(name: str | None) -> Symbology:
    try:
        return Symbology(name or "")
    except ValueError:  # The POS' own name for it.
        return Symbology.UNKNOWN
