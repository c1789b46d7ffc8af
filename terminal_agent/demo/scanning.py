"""The scanner's end of the demo: bytes go over the serial line, and the scan comes back as an event at the till.

Looks a scan up nowhere; what a code means is asked with `Till.identify`.
"""

from __future__ import annotations

import threading
from queue import Empty, Queue
from typing import Protocol

from loyalty_sdk.errors import LoyaltyError
from loyalty_sdk.model import Scan
from loyalty_sdk.till import Till
from terminal_agent.demo.processes import ProcessFailed
from terminal_agent.demo.shop import Person

__all__ = ["Scanner", "ScanningDesk"]

# A cashier scans again when nothing beeps; while the agent restarts nothing does.
SCANS_MAX = 20
SCAN_TIMEOUT_S = 1.0
QUEUE_MAX = 1_000


class Scanner(Protocol):
    """What sends a code down the serial line: `drivers.scanner.twin.ScannerTwin`."""

    def scan(self, data: bytes | str) -> None:
        """Send one code."""


class ScanningDesk:
    """A scanner at the till and the thread that listens to its events."""

    def __init__(self, till: Till, scanner: Scanner) -> None:
        self._till = till
        self._scanner = scanner
        self._scans: Queue[Scan] = Queue(QUEUE_MAX)
        self._refused = ""
        threading.Thread(target=self._listen, name="scans", daemon=True).start()

    def scan(self, person: Person) -> Scan:
        """Scan a card, again if need be, and return the event. Raises ProcessFailed where none ever arrives."""
        self._forget_earlier()
        for _ in range(SCANS_MAX):
            self._scanner.scan(person.aim + person.alias)
            while scan := self._next():
                if scan.data == person.alias:
                    return scan
            if self._refused:
                raise ProcessFailed(f"the till cannot listen to its scanner: {self._refused}")
        raise ProcessFailed(f"the scan of {person.alias} never came back as an event; see agent.log")

    def _listen(self) -> None:
        try:
            for event in self._till.scans():
                if isinstance(event, Scan):
                    self._scans.put(event)
        except LoyaltyError as error:
            # It ends here when the till is closed; anything else is told by the next scan.
            self._refused = str(error)

    def _next(self) -> Scan | None:
        try:
            return self._scans.get(timeout=SCAN_TIMEOUT_S)
        except Empty:
            return None

    def _forget_earlier(self) -> None:
        while not self._scans.empty():
            self._scans.get()
