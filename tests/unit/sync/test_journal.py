"""Reading the journal: the queue, entries by seq, receipts by key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loyalty_sdk.errors import ReceiptUnknown
from loyalty_sdk.model import ReceiptKey
from sync.answers import StoreAcknowledgement
from sync.journal import entry_at, entry_by_receipt, find_receipt, queue_batch, watermark
from tests.support.terminal_memory import MEMBER, TODAY, TerminalMemory


def batch_seqs(memory: TerminalMemory, after_seq: int, entries_max: int = 100, bytes_max: int = 10**6) -> list[int]:
    with memory.store.reading() as connection:
        return [entry.seq for entry in queue_batch(connection, after_seq, entries_max, bytes_max)]


def test_law_2_the_queue_is_what_lies_beyond_the_watermark(memory: TerminalMemory) -> None:
    for _ in range(4):
        memory.sell()
    memory.run(StoreAcknowledgement(answer=memory.acknowledgement(3)))
    with memory.store.reading() as connection:
        mark = watermark(connection)
    assert (mark.seq, mark.head_seq, mark.epoch, mark.journal) == (3, 5, "epoch-1", memory.journal)
    assert batch_seqs(memory, mark.seq) == [4, 5]


def test_a_batch_is_bounded_by_number_and_size_and_never_empty(memory: TerminalMemory) -> None:
    for _ in range(4):
        memory.sell()
    assert batch_seqs(memory, 0, entries_max=2) == [1, 2]
    assert batch_seqs(memory, 1, bytes_max=1) == [2]
    assert batch_seqs(memory, 5) == []


def test_a_batch_holds_the_exact_bytes_and_the_attachment(memory: TerminalMemory) -> None:
    memory.run(memory.sale_command(memory.sale_request(alias="CARD-1")))
    with memory.store.reading() as connection:
        (queued,) = queue_batch(connection, 1, 10, 10**6)
    _, data, stored_hash = memory.chain()[1]
    assert (queued.entry_bytes, queued.hash) == (data, stored_hash)
    assert queued.sealed
    assert queued.attachment_hash == memory.entries()[1].attachment_hash


def test_entries_are_found_by_seq_and_receipt(memory: TerminalMemory) -> None:
    sale = memory.sell()
    with memory.store.reading() as connection:
        found = entry_by_receipt(connection, sale.receipt)
        assert found.id == sale.entry_id
        assert entry_at(connection, found.seq) == found
        assert entry_at(connection, 99) is None
        row = find_receipt(connection, sale.receipt)
    assert row is not None
    assert (row.entry_id, row.seq, row.points) == (sale.entry_id, 2, 10)


@pytest.mark.parametrize(
    "change",
    [{"store": "s"}, {"register": "r"}, {"number": "9"}, {"series": "B"}, {"business_date": TODAY.replace(day=5)}],
)
def test_law_5_every_part_of_a_receipt_key_counts(memory: TerminalMemory, change: dict[str, object]) -> None:
    sale = memory.sell(member_id=MEMBER)
    other: ReceiptKey = replace(sale.receipt, **change)  # type: ignore[arg-type]  # fields by name
    with memory.store.reading() as connection, pytest.raises(ReceiptUnknown, match="check store, register"):
        entry_by_receipt(connection, other)
