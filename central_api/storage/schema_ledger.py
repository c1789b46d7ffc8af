"""Central's tables of what each member's points came from and went to. No queries, no rules.

The facts of the fold (`ledger/fold.py`) are `lots` and `debits`; how far they are booked is in `settlements`, where it
can begin in `standings`. The accounts themselves and their transfers are in `schema.py`; `metadata` here holds both.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index

from central_api.storage.columns import Instant, key, one_of, time, whole, words
from central_api.storage.schema import metadata, table

__all__ = [
    "DEBIT_KINDS",
    "DECISION_KINDS",
    "LOT_KINDS",
    "debits",
    "decisions",
    "lots",
    "metadata",
    "settlements",
    "standings",
]

LOT_KINDS = ("sale", "adjustment")
DEBIT_KINDS = ("grant", "unlinked_return", "adjustment", "write_off")
DECISION_KINDS = ("adjustment", "write_off")


def _to_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"])


# What one earning gave, net of what came back of it. `lot_id` is the id of the sale's entry, or of the decision.
lots = table(
    "lots",
    key("tenant"),
    key("member_id"),
    key("lot_id"),
    words("kind"),
    whole("points"),
    time("earned_at"),
    time("available_at"),
    time("expires_at", nullable=True),
    CheckConstraint("points >= 0"),
    one_of("kind", LOT_KINDS),
    _to_member(),
    with_rowid=False,
)

Index("lots_by_availability", lots.c.tenant, lots.c.member_id, lots.c.available_at)

# What was taken, net of what came back of it; a write-off gives instead. `debit_id` is the id of the grant, of the
# entry, or of the decision.
debits = table(
    "debits",
    key("tenant"),
    key("member_id"),
    key("debit_id"),
    words("kind"),
    whole("points"),
    time("effective_at"),
    CheckConstraint("points >= 0"),
    one_of("kind", DEBIT_KINDS),
    _to_member(),
    with_rowid=False,
)

Index("debits_by_time", debits.c.tenant, debits.c.member_id, debits.c.effective_at)

# How far a member's facts are booked: all that time did to them before `next_due_at`. What concerns `settled_at` or
# before may change what was booked: then all is folded again. A member without a row has no dates, and nothing due.
settlements = table(
    "settlements",
    key("tenant"),
    key("member_id"),
    time("next_due_at", nullable=True),
    time("settled_at", nullable=True),
    whole("expired", 0),
    whole("written_off", 0),
    CheckConstraint("expired >= 0"),
    CheckConstraint("written_off >= 0"),
    _to_member(),
    with_rowid=False,
)
Index("settlements_by_due", settlements.c.tenant, settlements.c.next_due_at)

# What the fold came to at an instant: the next one begins at the last that is before what is new. Those that are not
# before it are taken away first, so what is here can always be made again of lots and debits. `open` is JSON: what is
# there, by the milliseconds since 1970 of its date.
standings = table(
    "standings",
    key("tenant"),
    key("member_id"),
    Column("at", Instant, primary_key=True),
    whole("owed"),
    whole("expired"),
    whole("written_off"),
    words("open"),
    CheckConstraint("owed >= 0"),
    CheckConstraint("expired >= 0"),
    CheckConstraint("written_off >= 0"),
    _to_member(),
    with_rowid=False,
)

# What a person decided: `points` is negative where an adjustment takes. It is a lot or a debit of the same id.
decisions = table(
    "decisions",
    key("tenant"),
    key("decision_id"),
    words("member_id"),
    words("kind"),
    whole("points"),
    words("actor"),
    words("reason"),
    time("decided_at"),
    CheckConstraint("points <> 0"),
    one_of("kind", DECISION_KINDS),
    _to_member(),
)
Index("decisions_by_member", decisions.c.tenant, decisions.c.member_id)
