"""Schema 9: the order in which entries were judged. Of those that were judged before it is not known."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Sequence
from sqlalchemy.schema import CreateSequence

from central_api.storage.columns import whole

revision = "9"
down_revision = "8"


def upgrade() -> None:
    """Add the columns, and the sequence where the database has such."""
    op.add_column("entries", whole("sitting", 0))
    op.add_column("entries", whole("turn", 0))
    if op.get_bind().dialect.supports_sequences:
        op.execute(CreateSequence(Sequence("sittings")))
