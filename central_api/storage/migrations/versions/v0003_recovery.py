"""Schema 3: what a central restored from a backup waits for, and what it lacks for good."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, LargeBinary, PrimaryKeyConstraint

from central_api.storage.columns import Whole, one_of, time, whole, words

revision = "3"
down_revision = "2"

STATES = ("waiting", "returning", "complete", "overridden")


def upgrade() -> None:
    """Make the tables; the epoch in force stays in `meta`."""
    terminal = (["tenant", "terminal"], ["terminals.tenant", "terminals.terminal"])
    op.create_table(
        "epochs",
        words("epoch"),
        time("began_at"),
        words("cause"),
        PrimaryKeyConstraint("epoch"),
        sqlite_strict=True,
    )
    op.create_table(
        "recoveries",
        words("tenant"),
        words("terminal"),
        words("epoch"),
        words("state", "waiting"),
        words("journal", ""),
        whole("needed_seq", 0),
        time("reported_at", nullable=True),
        one_of("state", STATES),
        PrimaryKeyConstraint("tenant", "terminal"),
        ForeignKeyConstraint(*terminal),
        sqlite_strict=True,
    )
    op.create_table(
        "gaps",
        words("tenant"),
        words("terminal"),
        words("journal"),
        Column("first_seq", Whole, nullable=False),
        whole("last_seq"),
        words("epoch"),
        time("recorded_at"),
        words("report"),
        Column("signature", LargeBinary, nullable=False),
        CheckConstraint("first_seq <= last_seq"),
        PrimaryKeyConstraint("tenant", "terminal", "journal", "first_seq"),
        ForeignKeyConstraint(*terminal),
        sqlite_strict=True,
    )
