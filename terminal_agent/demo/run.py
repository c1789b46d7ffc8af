"""The demo from opening to verdict: it says what happens when.

The stage is `stage.py`, the plan `day.py`; selling is `pos.py`, killing `saboteur.py`, judging `check.py`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged
from terminal_agent.demo.central_rows import clear_database, read_central_rows
from terminal_agent.demo.check import Findings, check
from terminal_agent.demo.day import Day, Phase, TakeBack, Visit, plan_day
from terminal_agent.demo.oracle import reckon_files
from terminal_agent.demo.pos import Pos
from terminal_agent.demo.report import BalanceRow, Report
from terminal_agent.demo.result import DemoResult, Outage
from terminal_agent.demo.rows import read_journal
from terminal_agent.demo.saboteur import Saboteur
from terminal_agent.demo.scanning import ScanningDesk
from terminal_agent.demo.shop import MEMBERS
from terminal_agent.demo.stage import Stage, clear_directory

__all__ = ["DemoSettings", "run_demo"]

# Pictures are drawn after the day, one after the other.
PICTURES_MAX = 150
_FAULTS = {
    "hold_open": "with a hold open",
    "before_commit": "while it records a sale, before COMMIT",
    "after_commit": "while it records a sale, after COMMIT and before the answer",
    "any_moment": "at a random moment while it records a sale",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """An absolute directory, the seed of the plan, its number of baskets, and the POS's business date.

    `database_url` names central's database; without it central keeps an SQLite file in the directory.
    """

    directory: Path
    seed: int
    baskets: int
    business_date: date
    database_url: str | None = None


def run_demo(settings: DemoSettings, report: Report) -> DemoResult:
    """Run it and print the report. Raises ProcessFailed, LoyaltyError, OSError, and ValueError for too few baskets."""
    started = time.monotonic()
    day = plan_day(settings.seed, settings.baskets)
    clear_directory(settings.directory)
    if settings.database_url is not None:
        clear_database(settings.database_url)
    database = "SQLite" if settings.database_url is None else settings.database_url.partition(":")[0].partition("+")[0]
    report.say(f"Starting central ({database}) and the agent, a scanner on a pseudo-terminal and a printer on TCP")
    with ExitStack() as stack:
        stage = Stage(settings.directory, settings.business_date, stack, settings.database_url)
        shop = _Shop(stage, Random(settings.seed), report, stack)
        outage = shop.sell(day)
        result = shop.close(outage, seed=settings.seed, started=started)
    report.balances(result.rows)
    report.summary(result.summary(), result.faults)
    return result


class _Shop:
    """The day at the shop."""

    def __init__(self, stage: Stage, random: Random, report: Report, stack: ExitStack) -> None:
        self._stage = stage
        self._report = report
        self._listed = stage.directory / "acknowledged.jsonl"
        self._saboteur = Saboteur(stage.agent, random, self._settle)
        listed = stack.enter_context(AcknowledgedList(self._listed))
        self._pos = Pos(stage.till, ScanningDesk(stage.till, stage.scanner), listed, self._saboteur)
        self._settle()

    # --- the day ---

    def sell(self, day: Day) -> Outage:
        """Sell the whole day; return how the outage went."""
        self._sell(day.phase("opening"), "The shop opens")
        self._drain("Central takes the entries")
        self._sell(day.phase("morning"), "The regulars come again and redeem")
        self._drain("Central takes the entries")
        outage = self._outage(day.phase("outage"))
        self._settle()
        self._sell(day.phase("afternoon"), "The afternoon, online again")
        return outage

    def _outage(self, phase: Phase) -> Outage:
        dead_since = time.monotonic()
        self._stage.kill_central()
        self._report.say("Central is killed with SIGKILL")
        self._sell(phase, "Selling and redeeming without central")
        queued = self._stage.till.status().queue_length
        self._stage.restart_central()
        back_since = time.monotonic()
        self._drain("Central is back: the backlog drains")
        return Outage(
            seconds=back_since - dead_since,
            sales=sum(isinstance(step, Visit) for step in phase.steps),
            queued=queued,
            drain_seconds=time.monotonic() - back_since,
        )

    def _sell(self, phase: Phase, what: str) -> None:
        with self._report.progress(what, len(phase.steps)) as done:
            for count, step in enumerate(phase.steps, start=1):
                self._tell(step)
                self._pos.serve(step)
                done(count)

    def _tell(self, step: Visit | TakeBack) -> None:
        if isinstance(step, TakeBack):
            self._report.say(f"  {step.kind.replace('_', ' ')}")
        elif step.fault:
            self._report.say(f"  the agent is killed with SIGKILL {_FAULTS[step.fault]}, and started again")

    def _drain(self, what: str) -> None:
        with self._report.progress(what, self._stage.till.status().queue_length) as done:
            self._stage.drain(done)

    def _settle(self) -> None:
        self._stage.settle(self._pos.tally.prints)

    # --- the verdict ---

    def close(self, outage: Outage, *, seed: int, started: float) -> DemoResult:
        """Have every grant closed by entry, stop everything, and judge."""
        self._settle()
        self._show_every_card()
        self._report.say("Every grant is wanted back; the agent closes each by an entry")
        self._stage.close_grants()
        at_till = self._balances_at_till()
        # The POS goes first: an open stream of events would keep the agent waiting.
        self._stage.till.close()
        self._stage.agent.stop()
        reckoning = reckon_files(self._listed, self._stage.programme)
        findings = check(
            read_acknowledged(self._listed),
            reckoning,
            read_journal(self._stage.agent.journal),
            read_central_rows(self._stage.central.database_url),
        )
        return DemoResult(
            findings=findings,
            reckoning=reckoning,
            tally=self._pos.tally,
            rows=_rows(at_till, findings),
            strikes={str(fault): count for fault, count in self._saboteur.strikes.items()},
            agent_kills=self._stage.agent.kills,
            outage=outage,
            receipts=self._keep_receipts(),
            receipts_printed=self._stage.printer.receipts_cut,
            wall_seconds=time.monotonic() - started,
            seed=seed,
        )

    def _show_every_card(self) -> None:
        """Let the till see every member: some came only in the outage. In training, so that nothing is granted."""
        looking = self._stage.till.with_context(training=True)
        for person in MEMBERS:
            looking.identify(person.alias)

    def _balances_at_till(self) -> dict[str, int | None]:
        """What the till says of every member with central stopped, so that it says what it knows by itself."""
        self._stage.central.stop()
        return {person.alias: self._stage.till.identify(person.alias).balance for person in MEMBERS}

    def _keep_receipts(self) -> Path:
        folder = self._stage.directory / "receipts"
        folder.mkdir()
        texts = self._stage.printer.receipts()
        for number, text in enumerate(texts, start=1):
            (folder / f"{number:03d}.txt").write_text(text, encoding="utf-8")
        for number in range(max(1, len(texts) + 1 - PICTURES_MAX), len(texts) + 1):
            (folder / f"{number:03d}.png").write_bytes(self._stage.printer.png(number - len(texts) - 1))
        return folder


def _rows(at_till: dict[str, int | None], findings: Findings) -> tuple[BalanceRow, ...]:
    """A row for every member of the shop, and for whatever central holds beside them."""
    found = {member.alias: member for member in findings.members}
    rows: list[BalanceRow] = []
    for person in MEMBERS:
        member = found.pop(person.alias, None)
        # Who bought nothing has nothing, and the till may never have heard of them.
        central, oracle = (member.central, member.oracle) if member else (0, 0)
        till = at_till[person.alias]
        rows.append((person.name, person.alias, 0 if till is None and member is None else till, central, oracle))
    rows += [("?", member.alias, None, member.central, member.oracle) for member in found.values()]
    return tuple(rows)
