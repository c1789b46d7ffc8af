"""Schema 7: where folds can begin, and the indexes that they load what is later by.

It holds nothing at first: a member's first fold begins at the first fact, and leaves what the next begins at.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, PrimaryKeyConstraint

from central_api.storage.columns import Instant, whole, words

revision = "7"
down_revision = "6"


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_index("lots_by_availability", "lots", ["tenant", "member_id", "available_at"])
    op.create_index("debits_by_time", "debits", ["tenant", "member_id", "effective_at"])
    op.create_table(
        "standings",
        words("tenant"),
        words("member_id"),
        Column("at", Instant, nullable=False),
        whole("owed"),
        whole("expired"),
        whole("written_off"),
        words("open"),
        CheckConstraint("owed >= 0"),
        CheckConstraint("expired >= 0"),
        CheckConstraint("written_off >= 0"),
        PrimaryKeyConstraint("tenant", "member_id", "at"),
        ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"]),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
