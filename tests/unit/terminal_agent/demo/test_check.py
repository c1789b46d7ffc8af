"""The check finds what is lost, doubled, different or out of place; each is broken here by hand."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import first_hash
from loyalty_sdk.model import ReceiptKey
from terminal_agent.demo.acknowledged import sale_line
from terminal_agent.demo.check import Findings, check
from terminal_agent.demo.oracle import reckon
from terminal_agent.demo.rows import CentralRows, EntryRow, TransferRow

PROGRAMME = {"earning": [{"id": "base", "kind": "amount", "points": 1, "per_minor": 100}]}
BASKET = Basket.of("EUR", Line.of("MILK", 700))
SOLD = {"1": ("A", "member-a"), "2": ("B", "member-b"), "3": (None, None)}


def key(number: str) -> ReceiptKey:
    return ReceiptKey(store="s", register="1", business_date=date(2026, 5, 1), number=number)


def acknowledged() -> list[Any]:
    lines = [sale_line(key(number), BASKET, member=alias) for number, (alias, _) in SOLD.items()]
    return [json.loads(dumps(line)) for line in lines]


def chain(*receipts: tuple[str | None, str | None]) -> tuple[EntryRow, ...]:
    """A sound journal of the given (receipt, member id)."""
    entries: list[EntryRow] = []
    digest = first_hash("t", "j")
    for seq, (receipt, member) in enumerate(receipts, start=1):
        data = f"entry {seq}".encode()
        digest = hashlib.sha256(digest + data).digest()
        entries.append(
            EntryRow(
                terminal="t",
                journal="j",
                seq=seq,
                id=f"id-{seq}",
                kind="sale" if receipt else "journal_opened",
                receipt=receipt,
                data=data,
                hash=digest,
                outcome="applied",
                member_id=member,
            )
        )
    return tuple(entries)


SOUND = chain((None, None), *((str(key(number)), member) for number, (_, member) in SOLD.items()))
CENTRAL = CentralRows(
    entries=SOUND,
    transfers=tuple(
        TransferRow(member_id=member, from_account="issued", to_account="available", points=7)
        for member in ("member-a", "member-b")
    ),
    available={"member-a": 7, "member-b": 7},
    owed={},
    reserved={},
    receipts=tuple(str(key(number)) for number in SOLD),
    grants_open=0,
)


def judge(central: CentralRows = CENTRAL, journals: tuple[EntryRow, ...] = SOUND) -> Findings:
    return check(acknowledged(), reckon(acknowledged(), PROGRAMME), journals, central)


def test_what_is_sound_is_clean() -> None:
    findings = judge()
    assert findings.faults == ()
    assert findings.is_clean
    assert findings.balances_equal
    assert (findings.entries_recorded, findings.entries_applied, findings.points_issued) == (4, 4, 14)
    assert [(member.alias, member.central) for member in findings.members] == [("A", 7), ("B", 7)]


def without_last(central: CentralRows) -> CentralRows:
    return replace(central, entries=central.entries[:-1])


def with_twice(central: CentralRows) -> CentralRows:
    again = replace(central.entries[1], seq=9, journal="k")
    return replace(central, entries=(*central.entries, again))


def with_receipt_twice(central: CentralRows) -> CentralRows:
    return replace(central, receipts=(*central.receipts, central.receipts[0]))


def with_other_balance(central: CentralRows) -> CentralRows:
    return replace(central, available={"member-a": 8, "member-b": 7})


def with_other_transfers(central: CentralRows) -> CentralRows:
    more = TransferRow(member_id="member-a", from_account="issued", to_account="available", points=1)
    return replace(with_other_balance(central), transfers=(*central.transfers, more))


def with_points_redeemed(central: CentralRows) -> CentralRows:
    more = TransferRow(member_id="member-a", from_account="available", to_account="redeemed", points=7)
    return replace(central, transfers=(*central.transfers, more), available={"member-b": 7})


def with_reserved(central: CentralRows) -> CentralRows:
    return replace(central, reserved={"member-c": 3})


def with_debt(central: CentralRows) -> CentralRows:
    return replace(central, owed={"member-b": 1})


def with_swapped_member(central: CentralRows) -> CentralRows:
    entries = (*central.entries[:2], replace(central.entries[2], member_id="member-a"), central.entries[3])
    return replace(central, entries=entries)


def with_other_bytes(central: CentralRows) -> CentralRows:
    return replace(central, entries=(replace(central.entries[0], data=b"other"), *central.entries[1:]))


def with_outcome(outcome: str) -> Callable[[CentralRows], CentralRows]:
    def change(central: CentralRows) -> CentralRows:
        held = replace(central.entries[-1], outcome=outcome, reason="because")
        return replace(central, entries=(*central.entries[:-1], held))

    return change


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (without_last, "was acknowledged and is not at central"),
        (with_twice, "times among central's entries"),
        (with_receipt_twice, "times among central's receipts"),
        (with_other_balance, "its transfers sum to"),
        (with_other_transfers, "A has 8 points at central, the oracle says 7"),
        (with_points_redeemed, "central has 7 points redeemed, the oracle says 0"),
        (with_reserved, "(member-c) has 3 points at central, the oracle says 0"),
        (with_debt, "B has 6 points at central, the oracle says 7"),
        (with_swapped_member, "member member-a got sales of 2 aliases"),
        (with_other_bytes, "central: the chain of terminal t breaks at entry 1"),
        (with_outcome("held"), "is held: because"),
        (with_outcome("rejected"), "is rejected: because"),
        (with_outcome("quarantined"), "is quarantined: because"),
    ],
)
def test_what_is_broken_at_central_is_found(broken: Callable[[CentralRows], CentralRows], fault: str) -> None:
    findings = judge(broken(CENTRAL))
    assert any(fault in found for found in findings.faults), findings.faults
    assert not findings.is_clean


def test_lost_and_doubled_are_counted() -> None:
    assert judge(without_last(CENTRAL)).entries_lost == 1
    assert judge(with_twice(CENTRAL)).entries_duplicated == 2
    assert judge(with_outcome("held")(CENTRAL)).entries_held == 1
    assert judge(with_outcome("quarantined")(CENTRAL)).entries_rejected == 1
    assert not judge(with_other_transfers(CENTRAL)).balances_equal


def test_an_entry_that_no_receipt_names_is_missed_too() -> None:
    journals = chain((None, None), *((entry.receipt, None) for entry in SOUND[1:]), (None, None))
    findings = judge(journals=journals)
    assert findings.entries_lost == 1
    assert "entry 5 of terminal t is not at central as it is in the journal" in findings.faults


def test_what_central_holds_beside_the_journals_is_found() -> None:
    assert any("in no journal" in fault for fault in judge(journals=SOUND[:-1]).faults)


def test_a_sale_that_nobody_was_told_of_is_found() -> None:
    entries = chain(*((entry.receipt, entry.member_id) for entry in SOUND), (str(key("9")), None))
    findings = judge(replace(CENTRAL, entries=entries), entries)
    assert f"receipt {key('9')} is at central and was never acknowledged" in findings.faults
