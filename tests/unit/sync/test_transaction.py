"""One transaction: single facts, central's time, and appending."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loyalty_sdk.codec import CodecError
from loyalty_sdk.envelope import ReleaseBody, attachment_hash
from sync.transaction import Transaction
from tests.support.terminal_memory import TerminalMemory

BODY = ReleaseBody(hold_id="hold-1", member_id="member-1", reason="cancelled")


def test_a_fact_is_set_read_and_replaced(memory: TerminalMemory) -> None:
    def command(transaction: Transaction) -> tuple[str | None, str | None]:
        transaction.set_meta(colour="red")
        transaction.set_meta(colour="blue", size="7")
        return transaction.meta("colour"), transaction.meta("nothing")

    assert memory.run(command) == ("blue", None)


def test_law_10_the_latest_time_of_central_is_kept(memory: TerminalMemory) -> None:
    noon = memory.clock.now
    memory.run(lambda transaction: transaction.see_central_time(noon))
    memory.clock.forward(hours=-5)
    memory.run(lambda transaction: transaction.see_central_time(noon - timedelta(hours=1)))
    assert memory.run(lambda transaction: transaction.central_time_seen()) == noon
    assert memory.run(lambda transaction: transaction.meta("contact_at")) == "2026-05-04T07:00:00.000+00:00"


def test_an_entry_carries_the_clock_and_central_s_time(memory: TerminalMemory) -> None:
    seen = memory.clock.now + timedelta(minutes=3)
    memory.run(lambda transaction: transaction.see_central_time(seen))
    entry = memory.run(lambda transaction: transaction.append("release", BODY))
    assert (entry.seq, entry.occurred_at, entry.central_time_seen) == (2, memory.clock.now, seen)
    assert memory.entries()[-1] == entry


def test_law_12_a_sealed_attachment_lies_beside_and_its_hash_within(memory: TerminalMemory) -> None:
    entry = memory.run(lambda transaction: transaction.append("release", BODY, sealed=b"sealed"))
    (row,) = memory.rows("SELECT seq, hash, sealed FROM attachments")
    assert tuple(row) == (entry.seq, attachment_hash(b"sealed"), b"sealed")
    assert entry.attachment_hash == attachment_hash(b"sealed")


def test_an_entry_above_its_limit_is_refused_and_leaves_no_gap(memory: TerminalMemory) -> None:
    long = ReleaseBody(hold_id="hold-1", member_id="member-1", reason="x" * 1_000_001)
    with pytest.raises(CodecError, match="split the basket"):
        memory.run(lambda transaction: transaction.append("release", long))
    assert memory.run(lambda transaction: transaction.append("release", BODY)).seq == 2
    memory.check_chain()
