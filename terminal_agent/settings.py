"""The agent's configuration: one frozen dataclass, built once from `agent.toml`.

Unknown names, wrong types and impossible values are refused with their place and what would be right. The file's
template, with a comment for every setting, is `agent.template.toml`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from drivers.errors import SettingsInvalid
from drivers.printer.models import printer_model
from drivers.printer.profile import ConfirmMethod, StatusMethod
from drivers.printer.settings import PrinterSettings, TransportName
from drivers.scanner.settings import ALL_SUFFIXES, ProtocolName, ScannerSettings
from loyalty_sdk.codec import CodecError, decode
from loyalty_sdk.model import CodeKind
from sync.machine import MachineSettings
from terminal_agent.meaning import COUNTRIES, DEFAULT_ORDER, CodeRules

__all__ = [
    "AgentSettings",
    "CentralSection",
    "CodesSection",
    "ConfigurationError",
    "ExchangeSection",
    "JournalSection",
    "LocalApiSection",
    "PrinterSection",
    "ScannerSection",
    "read_settings",
]

DEVICES_MAX = 64
PAUSE_S_MAX = 86_400


class ConfigurationError(Exception):
    """`agent.toml` is missing or wrong; the text names the place and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSection:
    """`[central]`: where central is, and how long a till waits for it before it goes on without."""

    url: str
    deadline_ms: int = 1_500
    certificate_authority: str = ""

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise ValueError(f"url must be an address as https://loyalty.example.com, not {self.url!r}")
        if not 50 <= self.deadline_ms <= 30_000:
            raise ValueError("deadline_ms must be from 50 to 30000")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalApiSection:
    """`[local_api]`: a Unix socket, or `listen = "host:port"` with TLS where it is more than loopback."""

    socket: str = "agent.sock"
    listen: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.listen:
            host, _, port = self.listen.rpartition(":")
            if not host or not (port.isascii() and port.isdigit() and int(port) < 65_536):
                raise ValueError(f'listen must be "host:port", not {self.listen!r}')
            if host not in ("127.0.0.1", "localhost", "[::1]") and not (self.tls_certificate and self.tls_key):
                raise ValueError(f"listen on {host} leaves this machine: set tls_certificate and tls_key")
        if self.tls_key and not self.tls_certificate:
            raise ValueError("tls_key stands without tls_certificate: set both, or none")

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The address of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSection:
    """`[exchange]`: how often and in what portions the terminal talks to central."""

    entries_max: int = 200
    changes_s: int = 30
    backoff_s_max: int = 60

    def machine_settings(self) -> MachineSettings:
        """Return the machine's settings. Raises ValueError."""
        return MachineSettings(
            entries_max=self.entries_max,
            changes_ms=self.changes_s * 1000,
            changes_after_upload_ms=min(2_000, self.changes_s * 1000),
            backoff_ms_max=self.backoff_s_max * 1000,
        )

    def __post_init__(self) -> None:
        for name in ("changes_s", "backoff_s_max"):
            if not 1 <= getattr(self, name) <= PAUSE_S_MAX:
                raise ValueError(f"{name} must be from 1 to {PAUSE_S_MAX}")
        self.machine_settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSection:
    """`[journal]`: how long acknowledged entries stay, which must be longer than central's backup interval."""

    retention_days: int = 30

    def __post_init__(self) -> None:
        if not 1 <= self.retention_days <= 3_650:
            raise ValueError("retention_days must be from 1 to 3650, and more than central's backup interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerSection:
    """`[[scanner]]`: a serial scanner and the register that its scans go to (every register where it is empty)."""

    name: str
    port: str
    register: str = ""
    baud_rate: int = 9600
    protocol: ProtocolName = "plain"
    prefix: str = ""
    suffixes: str = ALL_SUFFIXES.decode()
    idle_gap_ms: int = 100
    duplicate_window_ms: int = 500
    encoding_fallback: str = "cp1252"
    gs_substitute: str = ""

    def driver_settings(self) -> ScannerSettings:
        """Return the driver's settings. Raises SettingsInvalid."""
        return ScannerSettings(
            name=self.name,
            port=self.port,
            baud_rate=self.baud_rate,
            protocol=self.protocol,
            prefix=self.prefix.encode(),
            suffixes=self.suffixes.encode(),
            idle_gap_ms=self.idle_gap_ms or None,
            duplicate_window_ms=self.duplicate_window_ms,
            encoding_fallback=self.encoding_fallback,
            gs_substitute=self.gs_substitute.encode(),
        )

    def __post_init__(self) -> None:
        self.driver_settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesSection:
    """`[codes]`: how codes are told apart; which reading wins stands first in `order`."""

    order: tuple[CodeKind, ...] = DEFAULT_ORDER
    countries: tuple[str, ...] = COUNTRIES
    member_prefixes: tuple[str, ...] = ()
    voucher_prefixes: tuple[str, ...] = ()

    def rules(self) -> CodeRules:
        """Return the rules that the meaning of a code is read by."""
        return CodeRules(
            order=self.order,
            countries=self.countries,
            member_prefixes=self.member_prefixes,
            voucher_prefixes=self.voucher_prefixes,
        )

    def __post_init__(self) -> None:
        if len(set(self.order)) != len(self.order) or "unknown" in self.order:
            raise ValueError(f"order names each kind at most once, out of: {', '.join(DEFAULT_ORDER)}")
        if not all(re.fullmatch("[A-Z]{2}", country) for country in self.countries):
            raise ValueError('countries are ISO 3166 codes of two capitals, as ["PT", "ES"]')
        if not all(self.member_prefixes + self.voucher_prefixes):
            raise ValueError("a prefix of own codes is empty: it would take every code")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterSection:
    """`[[printer]]`: a receipt printer and the registers that it serves (every register where it is empty).

    What is None is taken from the model (`drivers.printer.models`). `logo` is a picture file, beside agent.toml where
    its path is relative, that stands above each receipt.
    """

    name: str
    transport: TransportName
    address: str
    registers: tuple[str, ...] = ()
    baud_rate: int = 115200
    flow_control: Literal["none", "xonxoff", "rtscts", "dsrdtr"] = "none"
    model: str = "generic"
    paper_width_mm: int | None = None
    columns: int | None = None
    code_page: str | None = None
    code_page_number: int | None = None
    confirm: ConfirmMethod | None = None
    status: StatusMethod | None = None
    logo: str = ""

    def driver_settings(self) -> PrinterSettings:
        """Return the driver's settings. Raises SettingsInvalid."""
        profile = printer_model(self.model).profile(
            paper_width_mm=self.paper_width_mm,
            columns=self.columns,
            code_page=self.code_page,
            code_page_number=self.code_page_number,
            confirm=self.confirm,
            status=self.status,
        )
        return PrinterSettings(
            name=self.name,
            transport=self.transport,
            address=self.address,
            profile=profile,
            baud_rate=self.baud_rate,
            flow_control=self.flow_control,
        )

    def __post_init__(self) -> None:
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(
                f"a printer's name is also its spool's file name: letters, digits, - and _, not {self.name!r}"
            )
        self.driver_settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The whole of `agent.toml`."""

    central: CentralSection
    local_api: LocalApiSection = LocalApiSection()
    exchange: ExchangeSection = ExchangeSection()
    journal: JournalSection = JournalSection()
    codes: CodesSection = CodesSection()
    scanner: tuple[ScannerSection, ...] = ()
    printer: tuple[PrinterSection, ...] = ()

    def __post_init__(self) -> None:
        for kind, sections in (("scanner", self.scanner), ("printer", self.printer)):
            names = [section.name for section in sections]
            if len(names) > DEVICES_MAX or len(set(names)) != len(names):
                raise ValueError(f"{kind}: at most {DEVICES_MAX}, each with a name of its own")


def read_settings(path: Path) -> AgentSettings:
    """Read `agent.toml`. Raises ConfigurationError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows editors put a mark in front.
        return decode(AgentSettings, document)
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing: make it with `loyalty-agent init`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, CodecError, SettingsInvalid) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _is_address(url: str) -> bool:
    """Whether httpx can reach a server by it, and a path can be put behind it."""
    import httpx

    try:
        parts, parsed = urlsplit(url), httpx.URL(url)
        plain = parts.port != 0 and not (parts.query or parts.fragment) and not set(url) & set(' "\\')
    except (ValueError, httpx.InvalidURL):
        return False
    return url.isprintable() and plain and parsed.scheme in ("http", "https") and bool(parsed.host)
