"""Schema 1: the tables of release 0.1.0. Databases of that release are taken to be here already."""

from alembic import op

from central_api.storage.migrations.tables_of_0_1_0 import metadata

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    metadata.create_all(op.get_bind())
