"""Pruning: acknowledged entries leave the journal after a retention, so that file and log stay bounded.

The retention is longer than central's backup interval, so that a restored central can be filled again. It counts in
central's time, up to when central last showed to hold the journal: neither a till's clock that jumps by years nor one
that was off for a month prunes what a restored central may lack. Receipt keys stay for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from loyalty_sdk.codec import encode
from sync.transaction import Transaction

__all__ = ["Prune"]

ENTRIES_MAX = 1_000
GRANTS_MAX = 1_000
# In the bytes of every entry that ended a hold, and of hardly any other.
HOLD_MARK = b'"hold_id":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Command: drop at most `entries_max` of the oldest entries that nobody needs any more.

    An entry goes once central acknowledged it longer than `retention` ago and the member's snapshot contains it. The
    chain hash of the last one that went stays as the floor, from which the rest still verifies.
    """

    uses_reserve: ClassVar[bool] = True

    retention: timedelta
    entries_max: int = ENTRIES_MAX

    def __call__(self, transaction: Transaction) -> int:
        """Return how many entries went."""
        confirmed = transaction.confirmed_at()
        if confirmed is None:
            return 0
        cutoff = encode(confirmed - self.retention)
        floor = int(transaction.meta("floor_seq") or 0)
        target = self._target(transaction, floor, cutoff)
        if target > floor:
            _drop_holds(transaction, target)
            _drop_entries(transaction, target)
        _drop_grants(transaction, cutoff)
        return target - floor

    def _target(self, transaction: Transaction, floor: int, cutoff: str) -> int:
        """The highest seq that may go now."""
        acknowledged = transaction.execute(
            "SELECT max(watermark) FROM acknowledgements WHERE unixepoch(acknowledged_at) <= unixepoch(?)", (cutoff,)
        ).scalar()
        # The last entry stays: it is the head that the next one is chained to.
        target = min(acknowledged or 0, floor + self.entries_max, transaction.head.seq - 1)
        needed = transaction.execute(
            "SELECT min(e.seq) FROM entries e JOIN snapshots s ON s.member_id = e.member_id"
            " WHERE e.seq BETWEEN ? AND ? AND e.seq > s.includes_seq",
            (floor + 1, target),
        ).scalar()
        return target if needed is None else needed - 1


def _drop_entries(transaction: Transaction, target: int) -> None:
    digest = transaction.execute("SELECT hash FROM entries WHERE seq = ?", (target,)).scalar_one()
    transaction.execute("DELETE FROM entries WHERE seq <= ?", (target,))
    transaction.execute("DELETE FROM reversals WHERE original_seq <= ?", (target,))
    transaction.execute("DELETE FROM outcomes WHERE seq <= ?", (target,))
    # The row at the floor's own watermark stays: it dates what is still here.
    transaction.execute(
        "DELETE FROM acknowledgements WHERE watermark <"
        " (SELECT max(watermark) FROM acknowledgements WHERE watermark <= ?)",
        (target,),
    )
    transaction.set_meta(floor_seq=str(target), floor_hash=digest.hex())


def _drop_holds(transaction: Transaction, target: int) -> None:
    """Drop the holds that entries up to `target` ended: with the entry, whatever the clock said when it was made."""
    ended = transaction.execute(
        "SELECT coalesce(json_extract(text, '$.body.redemption.hold_id'), json_extract(text, '$.body.hold_id')) FROM"
        " (SELECT CAST(bytes AS TEXT) AS text FROM entries WHERE seq <= ? AND instr(bytes, ?) > 0)",
        (target, HOLD_MARK),
    ).all()
    for (hold_id,) in ended:
        row = (hold_id,)
        transaction.execute(
            "DELETE FROM hold_grants WHERE hold_id = (SELECT hold_id FROM holds WHERE hold_id = ? AND state <> 'open')",
            row,
        )
        transaction.execute("DELETE FROM holds WHERE hold_id = ? AND state <> 'open'", row)


def _drop_grants(transaction: Transaction, cutoff: str) -> None:
    """Drop closed grants that ended before the cutoff, both by central's times, once what closed them has gone too.

    A till that was off for longer closes a grant after that, and is told of it again until central has heard so.
    """
    transaction.execute(
        "DELETE FROM grants WHERE grant_id IN (SELECT g.grant_id FROM grants g WHERE g.state = 'closed'"
        " AND unixepoch(g.not_after) <= unixepoch(?)"
        " AND g.grant_id NOT IN (SELECT json_extract(CAST(bytes AS TEXT), '$.body.grant_id') FROM entries"
        " WHERE kind = 'grant_closed')"
        " AND NOT EXISTS (SELECT 1 FROM hold_grants h WHERE h.grant_id = g.grant_id) LIMIT ?)",
        (cutoff, GRANTS_MAX),
    )
