"""What a replay found: the CSV files that were asked for, the line of JSON, and a screen of text. Judges nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from terminal_agent.demo.check import Findings, MemberBalance
from terminal_agent.demo.oracle import Reckoning
from terminal_agent.replay.rows import Reject

__all__ = ["Results", "print_results", "write_balances", "write_rejects"]

FAULTS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that a run gave. `recording_seconds` runs from the first receipt until central holds every entry."""

    findings: Findings
    reckoning: Reckoning
    members: int
    rejects: int
    linked_returns: int
    outage_seconds: float
    agent_kills: int
    repeats: int
    recording_seconds: float
    wall_seconds: float
    faults: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, refused or different."""
        return not self.faults

    def to_json(self) -> str:
        """Return one line of JSON."""
        found, reckoned = self.findings, self.reckoning
        return json.dumps(
            {
                "sales": reckoned.sales,
                "returns": reckoned.returns,
                "linked_returns": self.linked_returns,
                "anonymous_sales": reckoned.anonymous_sales,
                "members": self.members,
                "redemptions": reckoned.redemptions,
                "receipts_printed": 0,
                "entries_recorded": found.entries_recorded,
                "entries_applied": found.entries_applied,
                "entries_held": found.entries_held,
                "entries_rejected": found.entries_rejected,
                "entries_lost": found.entries_lost,
                "entries_duplicated": found.entries_duplicated,
                "points_issued": found.points_issued,
                "points_redeemed": found.points_redeemed,
                "balances_equal": found.balances_equal,
                "outage_seconds": round(self.outage_seconds, 3),
                "agent_kills": self.agent_kills,
                "repeats_found_recorded": self.repeats,
                "entries_per_second": round(found.entries_recorded / max(self.recording_seconds, 0.001), 1),
                "rejects": self.rejects,
                "wall_seconds": round(self.wall_seconds, 3),
                "faults": list(self.faults[:FAULTS_SHOWN_MAX]),
            }
        )


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write line, invoice and reason of each skipped row. Bytes that are no text are written as escapes."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "invoice", "reason"))
        writer.writerows((reject.line, reject.invoice, reject.reason) for reject in rejects)


def write_balances(path: Path, members: Iterable[str], balances: Iterable[MemberBalance]) -> None:
    """Write member, available and owed of every member as central holds them, sorted by member."""
    held = {balance.alias: balance for balance in balances}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("member", "available", "owed"))
        for member in sorted(members):
            balance = held.get(member)
            writer.writerow((member, balance.available if balance else 0, balance.owed if balance else 0))


def print_results(console: Console, results: Results) -> None:
    """Print what happened and what the check says, on one screen."""
    found, reckoned = results.findings, results.reckoning
    table = Table(show_header=False, box=None)
    rows = (
        ("sales", f"{reckoned.sales:,}, {reckoned.anonymous_sales:,} of them without a card"),
        ("returns", f"{reckoned.returns:,}, {results.linked_returns:,} of them linked to their sale"),
        ("redemptions", f"{reckoned.redemptions:,}"),
        ("entries", f"{found.entries_recorded:,} recorded, {found.entries_applied:,} applied"),
        ("", f"{found.entries_held:,} held, {found.entries_rejected:,} rejected"),
        ("", f"{found.entries_lost:,} lost, {found.entries_duplicated:,} duplicated"),
        ("points", f"{found.points_issued:,} issued, {found.points_redeemed:,} redeemed"),
        ("members", f"{results.members:,}, {_differing(found):,} with another balance than the oracle's"),
        ("rows skipped", f"{results.rejects:,}"),
        ("central dead", f"{results.outage_seconds:.1f} s; agents killed {results.agent_kills} times"),
        ("", f"{results.repeats} receipts were recorded although the answer was lost"),
        ("speed", f"{found.entries_recorded / max(results.recording_seconds, 0.001):,.0f} entries/s"),
        ("wall time", f"{results.wall_seconds:.1f} s"),
    )
    for name, text in rows:
        table.add_row(name, text)
    console.print(table)
    for fault in results.faults[:FAULTS_SHOWN_MAX]:
        console.print(f"WRONG: {fault}", markup=False, highlight=False)
    if len(results.faults) > FAULTS_SHOWN_MAX:
        console.print(f"and {len(results.faults) - FAULTS_SHOWN_MAX:,} more")
    if results.is_clean:
        console.print("Nothing lost, nothing doubled, every balance equal to the oracle's.")


def _differing(findings: Findings) -> int:
    return sum(member.central != member.oracle for member in findings.members)
