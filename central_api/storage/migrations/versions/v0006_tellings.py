"""Schema 6: cursors name the moment at which their feed was told last, so that they are known to be of another life."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint

from central_api.storage.columns import whole, words

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Begin without a moment: the cursors that terminals hold are numbers alone, and stay good."""
    op.add_column("feeds", whole("moment", 0))
    op.create_table(
        "tellings",
        words("tenant"),
        whole("moment"),
        PrimaryKeyConstraint("tenant", "moment"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
