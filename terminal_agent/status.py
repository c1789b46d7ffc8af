"""The agent's state in one answer: identity, journal and queue, central, devices, and warnings that name a remedy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from loyalty_sdk.model import Status
from sync.exchange import Exchange
from sync.identity import Identity
from sync.store import Store
from terminal_agent._version import VERSION
from terminal_agent.events import EventHub
from terminal_agent.printing import Printing
from terminal_agent.progress import ProgressMeter

__all__ = ["StatusReader"]

_COUNTS = (
    "SELECT (SELECT max(seq) FROM entries) AS head_seq,"
    " (SELECT max(version) FROM programmes) AS programme_version,"
    " (SELECT count(*) FROM holds WHERE state = 'open') AS open_holds,"
    " (SELECT count(*) FROM outcomes) AS refused,"
    " (SELECT group_concat(entry, ', ') FROM (SELECT seq || ' ' || reason AS entry FROM outcomes"
    " WHERE outcome = 'quarantined' ORDER BY seq LIMIT 5)) AS quarantined"
)


class StatusReader:
    """Reads the state; nothing is changed and central is not asked."""

    def __init__(
        self,
        *,
        store: Store,
        exchange: Exchange,
        identity: Identity,
        printing: Printing,
        hub: EventHub,
        meter: ProgressMeter,
        standing: tuple[str, ...] = (),
    ) -> None:
        """`standing` are warnings of the start that hold until the next one."""
        self._store = store
        self._exchange = exchange
        self._identity = identity
        self._printing = printing
        self._hub = hub
        self._meter = meter
        self._standing = standing

    async def read(self) -> Status:
        """Return the state as it is now."""
        with self._store.reading() as connection:
            facts: dict[str, str] = dict(connection.exec_driver_sql("SELECT name, value FROM meta").all())
            counts = connection.exec_driver_sql(_COUNTS).one()
        # In a thread: a spool's lock may be held, and the first check of the texts loads Babel.
        print_jobs_waiting, troubles = await asyncio.to_thread(self._printing.state)
        watermark = int(facts["watermark"])
        contact = facts.get("contact_at")
        return Status(
            version=VERSION,
            terminal=self._identity.terminal,
            journal=facts["journal"],
            head_seq=counts.head_seq,
            watermark=watermark,
            queue_length=counts.head_seq - watermark,
            central_online=self._exchange.online,
            central_contact_at=None if contact is None else datetime.fromisoformat(contact),
            programme_version=counts.programme_version,
            open_holds=counts.open_holds,
            entries_refused=counts.refused,
            progress=self._meter.measure(watermark, counts.head_seq - watermark),
            scanners=self._hub.scanner_statuses(),
            printers=self._hub.printer_statuses(),
            print_jobs_waiting=print_jobs_waiting,
            warnings=self._warnings(facts, counts.refused, counts.programme_version, troubles)
            + _quarantine(counts.quarantined),
        )

    def _warnings(
        self, facts: Mapping[str, str], refused: int, programme_version: int | None, troubles: tuple[str, ...]
    ) -> tuple[str, ...]:
        warnings = [self._store.trouble] if self._store.trouble else []
        if "damaged_file" in facts:
            warnings.append(
                f"the journal was damaged; what could be read of it was taken over. Keep {facts['damaged_file']} "
                "until central has every sale, and have the disk checked"
            )
        warnings += self._standing + troubles
        warnings += [f"scanner {s.scanner}: {s.reason}" for s in self._hub.scanner_statuses() if s.reason]
        conditions = (s for s in self._hub.printer_statuses() if not s.status.startswith("power"))
        warnings += [f"printer {s.printer}: {s.reason}" for s in conditions if s.reason]
        if self._exchange.trouble:
            warnings.append(f"central: {self._exchange.trouble}")
        if "revoked" in facts:
            warnings.append(
                "central has revoked this terminal: it sells on and delivers what it recorded; to use it again, run "
                f"`loyalty-central terminal add {self._identity.terminal}` and `loyalty-agent init --again`"
            )
        if "earlier_file" in facts:
            warnings.append(
                "the till's disk was cloned or restored, and a new journal was begun. Keep "
                f"{facts['earlier_file']} until central has every sale"
            )
        if refused:
            warnings.append(f"central did not apply {refused} entries: see them with `loyalty-agent reconcile`")
        if programme_version is None:
            warnings.append("no programme is here yet, nothing earns: activate one at central")
        if self._hub.dropped_scans:
            warnings.append(f"{self._hub.dropped_scans} scans came while no POS listened: start till.scans()")
        return tuple(warnings)


def _quarantine(entries: str | None) -> tuple[str, ...]:
    """What central could not judge, by seq and reason: it keeps the entries, and they are not lost."""
    if not entries:
        return ()
    return (f"central keeps entries that it cannot judge ({entries}): see `loyalty-central quarantine list` there",)
