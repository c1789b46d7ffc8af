"""Schema 8: the audit trail. What was done before is not known."""

from __future__ import annotations

from alembic import op
from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint

from central_api.storage.columns import time, words

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "acts",
        words("tenant"),
        words("act_id"),
        time("acted_at"),
        words("actor"),
        words("act"),
        words("subject"),
        words("detail"),
        PrimaryKeyConstraint("tenant", "act_id"),
        ForeignKeyConstraint(["tenant"], ["tenants.tenant"]),
        sqlite_strict=True,
    )
    op.create_index("acts_by_time", "acts", ["tenant", "acted_at", "act_id"])
