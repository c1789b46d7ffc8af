"""The one place that picks concrete classes and wires the agent together."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sqlite3
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette

from drivers.clock import SystemClock
from loyalty_sdk.errors import LoyaltyError
from loyalty_sdk.model import ReceiptKey
from sync import identity as identities
from sync.exchange import Exchange
from sync.host import Host
from sync.identity import Identity
from sync.journal import watermark
from sync.machine import Machine
from sync.reports import unconfirmed_grants
from sync.store import Store, report_damage
from sync.writer import Writer
from terminal_agent._version import VERSION
from terminal_agent.central_line import CentralLine
from terminal_agent.data_directory import DataDirectory
from terminal_agent.devices import Devices
from terminal_agent.events import EventHub
from terminal_agent.failpoints import failpoint_hooks
from terminal_agent.local_api import OWN_HOSTS, Gate, create_app
from terminal_agent.meaning import MeaningReader
from terminal_agent.operations import operations
from terminal_agent.printers import Printers
from terminal_agent.printing import Printing
from terminal_agent.progress import ProgressMeter, tell_progress
from terminal_agent.receipt_search import receipt_keys
from terminal_agent.report_file import ReportFile, ReportFileUnusable
from terminal_agent.reports import Reports
from terminal_agent.scans import ScanDesk
from terminal_agent.service import Service
from terminal_agent.settings import AgentSettings, CentralSection, ConfigurationError, read_settings
from terminal_agent.status import StatusReader
from terminal_agent.training import TrainingDesk

__all__ = ["Agent", "running_agent", "system_host", "trust"]

EXCHANGE_TIMEOUT_S = 30
# What reading the journal raises where it cannot be read, beside JournalUnavailable.
UNREADABLE = (SQLAlchemyError, sqlite3.Error)
ONLINE_CONNECTIONS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A running agent: its settings and the application of its local API; `end_streams` ends the streams of events."""

    settings: AgentSettings
    directory: DataDirectory
    app: Starlette
    end_streams: Callable[[], None]


def system_host() -> Host:
    """Return the machine's own clock and randomness."""
    return Host(now=lambda: datetime.now(UTC).astimezone(), random_bytes=os.urandom)


@asynccontextmanager
async def running_agent(directory: DataDirectory, failpoints: Path | None) -> AsyncIterator[Agent]:
    """Open the journal, start every thread, and stop them in order at the end.

    Raises ConfigurationError, IdentityError, DirectoryTaken, StoreRefused, DriverError.
    """
    settings = read_settings(directory.settings)
    identity = identities.read(directory.identity)
    gate, authorities = _gate(settings, directory), trust(settings.central)
    host, hub = system_host(), EventHub()
    async with AsyncExitStack() as ending:
        ending.enter_context(directory.lock())
        store = _open_store(directory, identity, host, failpoints)
        ending.callback(store.close)
        writer = Writer(store, on_commit=lambda head_seq: exchange.appended(head_seq))
        exchange = _build_exchange(settings, identity, host, store, writer, authorities)
        central = _build_central_line(settings, identity, host, exchange, authorities)
        desk = ScanDesk(MeaningReader(settings.codes.rules()), host.now)
        devices = _build_devices(settings, directory, desk, hub, store)
        printing = Printing(store=store, printers=devices.printers, new_id=host.new_id)
        meter = ProgressMeter(_monotonic_ms)
        reports = _build_reports(directory, store, printing, devices.printers, host)
        ending.callback(reports.close)
        calls = operations(
            desk=desk,
            scanners=devices.scanners,
            service=Service(store=store, writer=writer, central=central, identity=identity, host=host),
            training=TrainingDesk(store=store, now=host.now, new_id=host.new_id),
            printing=printing,
            reports=reports,
            status=StatusReader(
                store=store,
                exchange=exchange,
                identity=identity,
                printing=printing,
                hub=hub,
                meter=meter,
                standing=(reports.trouble,) if reports.trouble else (),
            ),
        )
        app = create_app(operations=calls, hub=hub, gate=gate, new_request_id=host.new_id)
        hub.attach(asyncio.get_running_loop())
        for part in (writer, exchange, devices):
            part.start()
            ending.push_async_callback(asyncio.to_thread, part.stop)
        telling = asyncio.create_task(tell_progress(meter, exchange, hub))
        ending.callback(telling.cancel)
        threading.Thread(target=_check_file, args=(store, writer), name="journal-check", daemon=True).start()
        threading.Thread(target=_check_texts, args=(printing,), name="receipt-texts", daemon=True).start()
        ending.push_async_callback(central.close)
        yield Agent(settings=settings, directory=directory, app=app, end_streams=hub.close)


def _open_store(directory: DataDirectory, identity: Identity, host: Host, failpoints: Path | None) -> Store:
    hooks = None if failpoints is None else failpoint_hooks(failpoints)
    store = Store(directory.journal, identity, host, VERSION, hooks=hooks)
    store.open()
    return store


def _check_file(store: Store, writer: Writer) -> None:
    """Read the whole journal once after the start; damage that no sale has met yet is mended before one does."""
    with suppress(LoyaltyError):  # The agent may end meanwhile, and the journal with it.
        if not store.is_sound():
            writer.call(report_damage)


def _check_texts(printing: Printing) -> None:
    """Say in the log what the printers cannot print of the programme's texts; the shop opens in any case."""
    with suppress(LoyaltyError, *UNREADABLE):  # The agent may end meanwhile, and the journal with it.
        printing.check_texts()


def _build_devices(
    settings: AgentSettings, directory: DataDirectory, desk: ScanDesk, hub: EventHub, store: Store
) -> Devices:
    def receipt_of(reference: str) -> ReceiptKey | None:
        with suppress(LoyaltyError, *UNREADABLE), store.reading() as connection:
            return receipt_keys(connection, [reference]).get(reference)
        return None

    return Devices.build(
        directory=directory,
        scanners=settings.scanner,
        printers=settings.printer,
        desk=desk,
        hub=hub,
        receipt_of=receipt_of,
        clock=SystemClock(),
        random=random.SystemRandom().random,
    )


def _build_reports(
    directory: DataDirectory, store: Store, printing: Printing, printers: Printers, host: Host
) -> Reports:
    """Z reports that cannot be kept cost the reports, and nothing else."""
    file, trouble = None, ""
    try:
        file = ReportFile(directory.reports)
    except ReportFileUnusable as error:
        trouble = str(error)
    return Reports(
        store=store,
        printing=printing,
        printers=printers,
        file=file,
        trouble=trouble,
        now=host.now,
        new_id=host.new_id,
    )


def _build_exchange(
    settings: AgentSettings, identity: Identity, host: Host, store: Store, writer: Writer, authorities: ssl.SSLContext
) -> Exchange:
    with store.reading() as connection:
        mark, unconfirmed = watermark(connection), unconfirmed_grants(connection)
    machine = Machine(
        settings.exchange.machine_settings(),
        secrets.randbelow,
        watermark=mark.seq,
        head_seq=mark.head_seq,
        unconfirmed=unconfirmed,
    )
    client = httpx.Client(base_url=settings.central.url, verify=authorities, timeout=EXCHANGE_TIMEOUT_S)
    return Exchange(
        store=store,
        writer=writer,
        machine=machine,
        client=client,
        identity=identity,
        host=host,
        monotonic_ms=_monotonic_ms,
        retention=timedelta(days=settings.journal.retention_days),
    )


def _build_central_line(
    settings: AgentSettings, identity: Identity, host: Host, exchange: Exchange, authorities: ssl.SSLContext
) -> CentralLine:
    client = httpx.AsyncClient(
        base_url=settings.central.url,
        verify=authorities,
        timeout=settings.central.deadline_ms / 1000,
        limits=httpx.Limits(max_connections=ONLINE_CONNECTIONS_MAX),
    )
    return CentralLine(
        client=client,
        token=identity.token,
        exchange=exchange,
        deadline_ms=settings.central.deadline_ms,
        now=host.now,
        monotonic_s=time.monotonic,
    )


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def trust(section: CentralSection) -> ssl.SSLContext:
    """Return the certificate authorities that central's certificate is checked against. Raises ConfigurationError."""
    if not section.certificate_authority:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=section.certificate_authority)
    except OSError as error:
        raise ConfigurationError(
            f"certificate_authority {section.certificate_authority} cannot be read ({error}): correct it in [central]"
        ) from None


def _gate(settings: AgentSettings, directory: DataDirectory) -> Gate:
    api = settings.local_api
    try:
        token = directory.token.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{directory.token} cannot be read ({error}): write a long random text into it, readable by you alone"
        ) from None
    return Gate(token=token, hosts=OWN_HOSTS | frozenset(api.allowed_hosts), origins=frozenset(api.allowed_origins))
