"""What the demo found, as data: the line of JSON and the lines of the summary. Draws nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from terminal_agent.demo.check import Findings
from terminal_agent.demo.oracle import Reckoning
from terminal_agent.demo.pos import Tally
from terminal_agent.demo.report import BalanceRow

__all__ = ["DemoResult", "Outage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """How long central was dead, how many sales went on meanwhile, and how its backlog drained."""

    seconds: float
    sales: int
    queued: int
    drain_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """The outcome of one demo. Times are in seconds; `strikes` counts what hit the agent, by fault of the plan."""

    findings: Findings
    reckoning: Reckoning
    tally: Tally
    rows: tuple[BalanceRow, ...]
    strikes: Mapping[str, int]
    agent_kills: int
    outage: Outage
    receipts: Path
    receipts_printed: int
    wall_seconds: float
    seed: int

    @property
    def balances_equal(self) -> bool:
        """Whether till, central and oracle agree on every member."""
        return all(till == central == oracle for _, _, till, central, oracle in self.rows)

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that is wrong, a sentence each."""
        faults = [*self.findings.faults, *self.tally.refused]
        faults += [f"{name} has {till} at the till, {central} at central" for name, till, central in self._differing()]
        if self.receipts_printed != self.tally.receipts:
            faults.append(f"{self.receipts_printed} receipts came out of the printer, not {self.tally.receipts}")
        if not self.strikes.get("any_moment"):
            faults.append("the agent was not hit at a random moment with a sale in flight; run the demo again")
        return tuple(faults)

    def _differing(self) -> list[tuple[str, int | None, int]]:
        return [(name, till, central) for name, _, till, central, _ in self.rows if till != central]

    def to_json(self) -> str:
        """Return one line of JSON."""
        found, reckoned = self.findings, self.reckoning
        return json.dumps(
            {
                "sales": reckoned.sales,
                "returns": reckoned.returns,
                "voids": reckoned.voids,
                "anonymous_sales": reckoned.anonymous_sales,
                "members": len(self.rows),
                "redemptions": reckoned.redemptions,
                "redemptions_offline": self.tally.redemptions_offline,
                "receipts_printed": self.receipts_printed,
                "entries_recorded": found.entries_recorded,
                "entries_applied": found.entries_applied,
                "entries_held": found.entries_held,
                "entries_rejected": found.entries_rejected,
                "entries_lost": found.entries_lost,
                "entries_duplicated": found.entries_duplicated,
                "points_issued": found.points_issued,
                "points_redeemed": found.points_redeemed,
                "balances_equal": self.balances_equal,
                "outage_seconds": round(self.outage.seconds, 3),
                "agent_kills": self.agent_kills,
                "agent_kills_by_fault": dict(self.strikes),
                "faults": list(self.faults),
                "wall_seconds": round(self.wall_seconds, 3),
                "seed": self.seed,
            },
            ensure_ascii=False,
        )

    def summary(self) -> list[tuple[str, str]]:
        """Return the lines of the summary, each with its label."""
        found, reckoned, tally = self.findings, self.reckoning, self.tally
        hit = self.strikes
        equal = sum(len(set(balances)) == 1 for _, _, *balances in self.rows)
        return [
            ("sold", f"{reckoned.sales} baskets, {reckoned.anonymous_sales} of them to customers without a card"),
            ("redeemed", f"{reckoned.redemptions} times, {tally.redemptions_offline} of them while central was dead"),
            ("came back", f"{reckoned.returns} returns and {reckoned.voids} void"),
            (
                "central dead",
                f"{self.outage.seconds:.1f} s; {self.outage.sales} sales went on, {tally.unconfirmed_sales} of them "
                "with cards that this till had never seen",
            ),
            ("drained", f"{self.outage.queued} entries in {self.outage.drain_seconds:.1f} s"),
            (
                "agent killed",
                f"{self.agent_kills} times: {hit.get('before_commit', 0)} before COMMIT, {hit.get('after_commit', 0)} "
                f"after COMMIT and before the answer, {hit.get('any_moment', 0)} at a random moment, "
                f"{hit.get('hold_open', 0)} with a hold open",
            ),
            ("repeated", f"{tally.repeats_found_recorded} calls found their sale recorded and were not counted twice"),
            (
                "entries",
                f"{found.entries_recorded} recorded, {found.entries_applied} applied, {found.entries_held} held, "
                f"{found.entries_rejected} rejected, {found.entries_lost} lost, {found.entries_duplicated} doubled",
            ),
            ("points", f"{found.points_issued} issued, {found.points_redeemed} redeemed, returns taken off"),
            ("balances", f"{equal} of {len(self.rows)} members equal at the till, at central and by the oracle"),
            ("receipts", f"{self.receipts_printed} printed, as text and as pictures in {self.receipts}"),
            ("took", f"{self.wall_seconds:.1f} s; the same day again: --seed {self.seed}"),
        ]
