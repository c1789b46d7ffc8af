"""What Alembic runs to get at the database: the connection of the transaction that `migration.py` is in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
