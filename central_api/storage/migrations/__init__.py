"""The steps from the tables of release 0.1.0 to today's, run by Alembic. `migration.py` beside them starts them."""
