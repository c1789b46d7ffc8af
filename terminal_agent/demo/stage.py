"""What the demo runs on: central and agent as processes, a scanner on a pseudo-terminal, a printer on a TCP socket.

Sets up, starts, and waits until the parts have come to rest. Sells nothing.
"""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from drivers.printer.twin import PrinterTwin
from drivers.scanner.twin import ScannerTwin
from loyalty_sdk.till import Till
from terminal_agent.demo.central_rows import grants_open
from terminal_agent.demo.processes import Agent, Central, Processes, ProcessFailed, wait_until
from terminal_agent.demo.shop import MEMBERS, PROGRAMME

__all__ = ["Stage", "clear_directory"]

MARKER = ".loyalty-demo"
TENANT, TERMINAL = "aurora", "aurora-1"
STORE, REGISTER, CASHIER = "Aurora", "1", "Célia"
COLUMNS = 42
DRAIN_TIMEOUT_S = 60.0
DRAIN_POLL_S = 0.02

# A day passes in seconds here, so central is asked and tried again more often than in a shop.
_EXCHANGE = """\
changes_s = 1
backoff_s_max = 1
"""
# On a machine that is busy otherwise the plan is still kept: no redemption is given up because central was slow.
_CENTRAL = "deadline_ms = 10000\n"
TILL_TIMEOUT_S = 30.0
_DEVICES = """\
[[scanner]]
name = "scanner-1"
port = "{port}"
register = "{register}"
baud_rate = 9600

[[printer]]
name = "printer-1"
registers = ["{register}"]
transport = "tcp"
address = "{address}"
model = "epson-tm-t88"
columns = {columns}
"""


def clear_directory(directory: Path) -> None:
    """Empty the demo's directory, or make it. Raises ProcessFailed for one that holds something else."""
    if directory.exists() and not (directory / MARKER).exists() and any(directory.iterdir()):
        raise ProcessFailed(f"{directory} holds something that no demo made; choose another --directory")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / MARKER).touch()


class Stage:
    """Everything that runs while the shop is open; leaving `stack` ends it. `directory` is absolute and empty."""

    def __init__(self, directory: Path, business_date: date, stack: ExitStack, database_url: str | None = None) -> None:
        processes = stack.enter_context(Processes())
        self.directory = directory
        self.programme = directory / "programme.json"
        self.central = Central(processes, directory, database_url)
        self.agent = Agent(processes, directory / "agent")
        self.scanner = stack.enter_context(ScannerTwin())
        self.printer = stack.enter_context(PrinterTwin(columns=COLUMNS))
        self._central_runs = False
        self._start_central()
        self._start_agent()
        self.till = stack.enter_context(
            Till(
                store=STORE,
                register=REGISTER,
                cashier=CASHIER,
                business_date=business_date,
                agent=self.agent.address,
                token=self.agent.token,
                timeout_s=TILL_TIMEOUT_S,
            )
        )

    def kill_central(self) -> None:
        """End central with SIGKILL."""
        self.central.kill()
        self._central_runs = False

    def restart_central(self) -> None:
        """Start central again, at the address it had."""
        self.central.start()
        self._central_runs = True

    def settle(self, prints: int) -> None:
        """Wait until `prints` receipts are printed and the agent sees scanner and central as they are."""
        wait_until(
            lambda: self._is_settled(prints), f"the agent to come to rest; see {self.agent.directory / 'agent.log'}"
        )

    def drain(self, tell: Callable[[int], None] = lambda sent: None) -> None:
        """Wait until central holds the journal whole; `tell` hears how many entries went since the call."""
        queued = self.till.status().queue_length
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while waiting := self.till.status().queue_length:
            tell(max(0, queued - waiting))
            if time.monotonic() > deadline:
                log = self.agent.directory / "agent.log"
                raise ProcessFailed(f"{waiting} entries did not reach central within {DRAIN_TIMEOUT_S:g} s; see {log}")
            time.sleep(DRAIN_POLL_S)
        tell(queued)

    def close_grants(self) -> None:
        """Want every grant back, and wait until the agent has closed each by an entry that central holds."""
        self.central.recall_grants()
        wait_until(lambda: not grants_open(self.central.database_url), "the agent to close its grants")
        self.drain()

    def _start_central(self) -> None:
        self.programme.write_text(json.dumps(PROGRAMME, ensure_ascii=False, indent=2), encoding="utf-8")
        self.central.initialise(self.programme, TENANT)
        self.central.import_members(_write_members(self.directory / "members.csv"))
        self._code = self.central.add_terminal(TERMINAL)
        self.restart_central()

    def _start_agent(self) -> None:
        self.agent.enrol(self.central.url, self._code)
        address, port = self.printer.address, self.scanner.path
        devices = _DEVICES.format(port=port, register=REGISTER, address=address, columns=COLUMNS)
        self.agent.configure(devices=devices, exchange=_EXCHANGE, central=_CENTRAL)
        self.agent.start()

    def _is_settled(self, prints: int) -> bool:
        status = self.till.status()
        scanners = [scanner.state for scanner in status.scanners]
        printed = status.print_jobs_waiting == 0 and self.printer.receipts_cut >= prints
        return printed and scanners == ["online"] and status.central_online == self._central_runs


def _write_members(file: Path) -> Path:
    with file.open("w", encoding="utf-8", newline="") as written:
        writer = csv.writer(written)
        writer.writerow(["alias", "name"])
        writer.writerows((person.alias, person.name) for person in MEMBERS)
    return file
