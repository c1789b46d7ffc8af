"""What members must have, from the tills' own list: in all by the oracle, and by date from a naive model of lots.

Of central it takes which member and programme version an entry counts for, when it is effective, and which grants it
issued; no points that it reckoned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loyalty_sdk.envelope import Entry, GrantUse, ReversalBody, SaleBody, decode_entry
from terminal_agent.demo.oracle import reckon
from tests.simulation.goods import programme_of
from tests.simulation.ledger import Ledger
from tests.simulation.lots import MemberPoints, lot_of

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

__all__ = ["balances_of_members", "points_of_members"]

Line = dict[str, Any]


def balances_of_members(simulation: Simulation, ledger: Ledger) -> Counter[str]:
    """Return by alias what the oracle says of everything that counts."""
    by_version: dict[int, list[Line]] = defaultdict(list)
    for version, line in _listed(simulation, _applied(ledger), ledger):
        by_version[version].append(line)
    expected: Counter[str] = Counter()
    for version, lines in by_version.items():
        expected.update(reckon(lines, programme_of(version)).balances)
    return expected


def points_of_members(simulation: Simulation, ledger: Ledger) -> Mapping[str, MemberPoints]:
    """Return by member id what each was given and what was taken, with the dates of both."""
    applied = _applied(ledger)
    points: dict[str, MemberPoints] = defaultdict(MemberPoints)
    member_of = {alias: member_id for member_id, alias in simulation.members()}
    of_grants: Counter[str] = Counter()
    for version, lines in _sales_with_returns(_listed(simulation, applied, ledger)):
        row, entry = applied[lines[0]["receipt"]]
        member, at = points[member_of.get(lines[0]["member"], "")], datetime.fromisoformat(row.effective_at)
        reckoned = reckon(lines, programme_of(version))
        if lines[0]["kind"] == "sale":
            member.lots.append(lot_of(reckoned.points_issued, at, programme_of(version, dated=True)))
            of_grants.update(_taken(entry.grants, reckoned.points_redeemed))
        else:
            member.debits.append((at, -reckoned.points_issued))
    for grant in ledger.grants:
        waits = grant.points - grant.spent - grant.released
        issued_at = datetime.fromisoformat(grant.issued_at)
        points[grant.member_id].debits.append((issued_at, of_grants[grant.grant_id] + waits))
    return points


def _applied(ledger: Ledger) -> dict[str, tuple[Any, Entry]]:
    """The sales and reversals that central applied, by receipt, each with the row and the entry."""
    found = {}
    for row in ledger.entries:
        entry = decode_entry(row.bytes)
        if row.outcome == "applied" and isinstance(entry.body, SaleBody | ReversalBody):
            found[str(entry.receipt_key)] = row, entry
    return found


def _listed(
    simulation: Simulation, applied: Mapping[str, tuple[Any, Entry]], ledger: Ledger
) -> Iterator[tuple[int, Line]]:
    """The tills' list as the oracle reads it: each line with the version that counts for it, members by alias."""
    alias_of = dict(simulation.members())
    version_of = {name: entry.programme_version or 0 for name, (_, entry) in applied.items()}
    counted = [receipt for receipt in simulation.book.receipts.values() if simulation.counts(receipt, ledger)]
    for version, line in simulation.book.lines(version_of, counted):
        line["member"] = alias_of.get(line["member"], line["member"])
        yield version, line


def _sales_with_returns(listed: Iterator[tuple[int, Line]]) -> Iterator[tuple[int, list[Line]]]:
    """Each sale of a member with all that came back of it; each unlinked return by itself."""
    found: dict[str, tuple[int, list[Line]]] = {}
    for version, line in listed:
        found.setdefault(line.get("original") or line["receipt"], (version, []))[1].append(line)
    return ((version, lines) for version, lines in found.values() if lines[0]["member"] is not None)


def _taken(uses: tuple[GrantUse, ...], points: int) -> Counter[str]:
    """What a sale keeps of each grant: what comes back is that of its first grant, then that of the next."""
    back = sum(use.points for use in uses) - points
    taken: Counter[str] = Counter()
    for use in uses:
        given_back = min(back, use.points)
        taken[use.grant_id] += use.points - given_back
        back -= given_back
    return taken
