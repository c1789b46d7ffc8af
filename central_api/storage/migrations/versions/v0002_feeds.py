"""Schema 2: every terminal has a feed of its own, so that writers of different terminals do not wait for each other."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint

from central_api.storage.columns import whole, words

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Begin each feed after the highest number that it gave: cursors that terminals hold stay good."""
    op.create_table(
        "feeds",
        words("tenant"),
        words("terminal"),
        whole("number", 0),
        PrimaryKeyConstraint("tenant", "terminal"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO feeds (tenant, terminal, number) "
        "SELECT tenant, terminal, max(number) FROM changes GROUP BY tenant, terminal"
    )
    op.drop_index("changes_by_number", "changes")
