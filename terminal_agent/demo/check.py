"""The honest check: the POS's own list and the oracle against the journals and central's database.

Pure functions over rows; `terminal_agent.demo.rows` reads them. Nothing that agent or central answered over their APIs
is believed here, and every difference becomes one sentence in `faults`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty_sdk.envelope import first_hash
from terminal_agent.demo.oracle import Reckoning
from terminal_agent.demo.rows import CentralRows, EntryRow

__all__ = ["Findings", "MemberBalance", "check"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberBalance:
    """One member's points at central and by the oracle; `central` is available + reserved − owed."""

    alias: str
    member_id: str | None
    available: int
    reserved: int
    owed: int
    oracle: int

    @property
    def central(self) -> int:
        """The balance that central holds."""
        return self.available + self.reserved - self.owed


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the check found.

    `entries_recorded` counts entries of every kind in the journals; the outcomes are those of central. Lost is what was
    acknowledged, or is in a journal, and is not at central; duplicated is what is anywhere twice. The
    points are sums of central's transfers, reversals taken off.
    """

    entries_recorded: int
    entries_applied: int
    entries_held: int
    entries_rejected: int
    entries_lost: int
    entries_duplicated: int
    points_issued: int
    points_redeemed: int
    members: tuple[MemberBalance, ...]
    faults: tuple[str, ...]

    @property
    def balances_equal(self) -> bool:
        """Whether every member has at central what the oracle says."""
        return all(member.central == member.oracle for member in self.members)

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all was found to be wrong."""
        return not self.faults


def check(
    acknowledged: Sequence[Json], reckoning: Reckoning, journals: Sequence[EntryRow], central: CentralRows
) -> Findings:
    """Compare the list, what the oracle reckons from it, the entries of all journals, and central."""
    lost, duplicated = _lost(acknowledged, journals, central), _duplicated(journals, central)
    strays = _strays(acknowledged, journals, central)
    assigned, confusions = _assign(acknowledged, central.entries)
    members = _members(reckoning, assigned, central)
    outcomes = Counter(entry.outcome for entry in central.entries)
    accounts = _accounts(central)
    faults = [*lost, *duplicated, *strays, *confusions, *_broken_chains(journals, central)]
    faults += [*_unapplied(central), *_wrong_sums(central), *_differing(members)]
    faults += _differing_points(accounts, reckoning)
    return Findings(
        entries_recorded=len(journals),
        entries_applied=outcomes["applied"],
        entries_held=outcomes["held"],
        entries_rejected=outcomes["rejected"] + outcomes["quarantined"],
        entries_lost=len(lost),
        entries_duplicated=len(duplicated),
        points_issued=-accounts["issued"],
        points_redeemed=accounts["redeemed"],
        members=members,
        faults=tuple(faults),
    )


# --- entries ----------------------------------------------------------------------------------------------------------


def _lost(acknowledged: Sequence[Json], journals: Sequence[EntryRow], central: CentralRows) -> list[str]:
    booked = {entry.receipt for entry in central.entries}
    at_central = {(entry.journal, entry.seq, entry.hash) for entry in central.entries}
    receipts = [line["receipt"] for line in acknowledged if line["receipt"] not in booked]
    uploads = [
        entry
        for entry in journals
        if (entry.journal, entry.seq, entry.hash) not in at_central and entry.receipt not in receipts
    ]
    return [f"receipt {receipt} was acknowledged and is not at central" for receipt in receipts] + [
        f"entry {entry.seq} of terminal {entry.terminal} is not at central as it is in the journal" for entry in uploads
    ]


def _duplicated(journals: Sequence[EntryRow], central: CentralRows) -> list[str]:
    places = (
        ("receipt {} stands {} times in the journals", _receipts(journals)),
        ("receipt {} stands {} times among central's entries", _receipts(central.entries)),
        ("receipt {} stands {} times among central's receipts", central.receipts),
        ("entry id {} stands {} times in the journals", [entry.id for entry in journals]),
        ("entry id {} stands {} times at central", [entry.id for entry in central.entries]),
    )
    return [text.format(what, times) for text, found in places for what, times in Counter(found).items() if times > 1]


def _receipts(entries: Iterable[EntryRow]) -> list[str]:
    return [entry.receipt for entry in entries if entry.receipt is not None]


def _strays(acknowledged: Sequence[Json], journals: Sequence[EntryRow], central: CentralRows) -> list[str]:
    """What stands at central though no journal holds it, or no POS was ever told of it."""
    listed = {line["receipt"] for line in acknowledged}
    recorded = {(entry.journal, entry.seq) for entry in journals}
    unheard = sorted(set(_receipts(central.entries)) - listed)
    unknown = [entry for entry in central.entries if (entry.journal, entry.seq) not in recorded]
    return [f"receipt {receipt} is at central and was never acknowledged" for receipt in unheard] + [
        f"entry {entry.seq} of terminal {entry.terminal} is at central and in no journal" for entry in unknown
    ]


def _unapplied(central: CentralRows) -> list[str]:
    return [
        f"entry {entry.seq} of terminal {entry.terminal} is {entry.outcome}: {entry.reason}"
        for entry in central.entries
        if entry.outcome != "applied"
    ]


def _broken_chains(journals: Sequence[EntryRow], central: CentralRows) -> list[str]:
    places = (("journal", journals), ("central", central.entries))
    return [f"{place}: {fault}" for place, entries in places for fault in _chain_faults(entries)]


def _chain_faults(entries: Iterable[EntryRow]) -> list[str]:
    """Law 3 recomputed from the bytes: dense from 1, each hash over the one before and the exact bytes."""
    chains: dict[tuple[str, str], list[EntryRow]] = defaultdict(list)
    for entry in entries:
        chains[entry.terminal, entry.journal].append(entry)
    faults = []
    for (terminal, journal), chain in chains.items():
        chain.sort(key=lambda entry: entry.seq)
        previous = first_hash(terminal, journal, chain[0].previous_hash)
        for seq, entry in enumerate(chain, start=1):
            if entry.seq != seq or entry.hash != hashlib.sha256(previous + entry.data).digest():
                faults.append(f"the chain of terminal {terminal} breaks at entry {seq}")
                break
            previous = entry.hash
    return faults


# --- members ----------------------------------------------------------------------------------------------------------


def _assign(acknowledged: Sequence[Json], entries: Sequence[EntryRow]) -> tuple[dict[str, str], list[str]]:
    """Which member each alias is at central, by the receipts of both, and where one alias is two or two are one."""
    booked = {entry.receipt: entry.member_id for entry in entries if entry.receipt is not None}
    pairs = {
        (line["member"], member)
        for line in acknowledged
        if line["member"] is not None and (member := booked.get(line["receipt"])) is not None
    }
    aliases = Counter(alias for alias, _ in pairs)
    members = Counter(member for _, member in pairs)
    faults = [f"alias {alias} was booked to {times} members" for alias, times in aliases.items() if times > 1]
    faults += [f"member {member} got sales of {times} aliases" for member, times in members.items() if times > 1]
    return dict(pairs), faults


def _members(reckoning: Reckoning, assigned: Mapping[str, str], central: CentralRows) -> tuple[MemberBalance, ...]:
    rows = [_member(alias, assigned.get(alias), points, central) for alias, points in reckoning.balances.items()]
    named = set(assigned.values())
    # A member that nothing in the list belongs to has nothing.
    rest = sorted((central.available.keys() | central.reserved.keys()) - named)
    rows += [row for member in rest if (row := _member(f"({member})", member, 0, central)).central]
    return tuple(sorted(rows, key=lambda row: row.alias))


def _member(alias: str, member_id: str | None, oracle: int, central: CentralRows) -> MemberBalance:
    return MemberBalance(
        alias=alias,
        member_id=member_id,
        available=central.available.get(member_id or "", 0),
        reserved=central.reserved.get(member_id or "", 0),
        owed=central.owed.get(member_id or "", 0),
        oracle=oracle,
    )


def _differing(members: Iterable[MemberBalance]) -> list[str]:
    return [
        f"{member.alias} has {member.central} points at central, the oracle says {member.oracle}"
        for member in members
        if member.central != member.oracle
    ]


# --- transfers --------------------------------------------------------------------------------------------------------


def _accounts(central: CentralRows) -> Counter[str]:
    """The balance of every account over all members; they sum to 0."""
    accounts: Counter[str] = Counter()
    for transfer in central.transfers:
        accounts[transfer.from_account] -= transfer.points
        accounts[transfer.to_account] += transfer.points
    return accounts


def _wrong_sums(central: CentralRows) -> list[str]:
    """Law 8: every balance is the sum of its transfers."""
    sums: Counter[tuple[str, str]] = Counter()
    for transfer in central.transfers:
        sums[transfer.member_id, transfer.from_account] -= transfer.points
        sums[transfer.member_id, transfer.to_account] += transfer.points
    members = {member for member, _ in sums} | central.available.keys() | central.reserved.keys()
    faults = []
    for member in sorted(members):
        summed = (sums[member, "available"] + sums[member, "pending"], sums[member, "reserved"], -sums[member, "owed"])
        held = tuple(table.get(member, 0) for table in (central.available, central.reserved, central.owed))
        if summed != held:
            faults.append(f"member {member} has (available, reserved, owed) {held}, its transfers sum to {summed}")
    return faults


def _differing_points(accounts: Counter[str], reckoning: Reckoning) -> list[str]:
    pairs = (
        ("issued", -accounts["issued"], reckoning.points_issued),
        ("redeemed", accounts["redeemed"], reckoning.points_redeemed),
    )
    return [
        f"central has {at_central} points {name}, the oracle says {by_oracle}"
        for name, at_central, by_oracle in pairs
        if at_central != by_oracle
    ]
