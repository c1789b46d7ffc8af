"""Schema 4: API keys, repeated writes, jobs, totals of the transfers; dates of programmes, merged members."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, LargeBinary, PrimaryKeyConstraint, text

from central_api.storage.columns import Whole, one_of, time, whole, words

revision = "4"
down_revision = "3"

# A time is text that begins with its day in UTC.
FILL_TOTALS = """
    INSERT INTO totals (tenant, day, from_account, to_account, points, transfers)
    SELECT tenant, substr(recorded_at, 1, 10) AS day, from_account, to_account, sum(points), count(*)
    FROM transfers GROUP BY tenant, day, from_account, to_account
"""
SCOPES = ("read-only", "back-office", "administrator")


def upgrade() -> None:
    """Make the tables. A programme without a row in `activations` is in force since it was activated."""
    _make_activations_and_merges()
    _make_api_keys()
    _make_idempotency_keys()
    _make_jobs()
    _make_totals()
    _make_contacts()
    _index_the_quarantine()
    op.execute(FILL_TOTALS)


def _to_tenant() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant"], ["tenants.tenant"])


def _make_activations_and_merges() -> None:
    op.create_table(
        "activations",
        words("tenant"),
        Column("version", Whole, nullable=False),
        time("in_force_at"),
        time("withdrawn_at", nullable=True),
        PrimaryKeyConstraint("tenant", "version"),
        ForeignKeyConstraint(["tenant", "version"], ["programmes.tenant", "programmes.version"]),
        sqlite_strict=True,
    )
    op.create_table(
        "merges",
        words("tenant"),
        words("member_id"),
        words("into_member_id"),
        time("merged_at"),
        words("actor"),
        words("reason"),
        PrimaryKeyConstraint("tenant", "member_id"),
        ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"]),
        ForeignKeyConstraint(["tenant", "into_member_id"], ["members.tenant", "members.member_id"]),
        sqlite_strict=True,
    )
    op.create_index("merges_by_target", "merges", ["tenant", "into_member_id"])


def _make_api_keys() -> None:
    op.create_table(
        "api_keys",
        words("tenant"),
        words("key_id"),
        words("name"),
        words("scope"),
        words("secret_hash"),
        time("created_at"),
        time("expires_at", nullable=True),
        time("revoked_at", nullable=True),
        words("replaces", ""),
        one_of("scope", SCOPES),
        PrimaryKeyConstraint("tenant", "key_id"),
        _to_tenant(),
        sqlite_strict=True,
    )
    op.create_index("api_keys_by_secret", "api_keys", ["secret_hash"])


def _make_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        words("tenant"),
        words("actor"),
        words("idempotency_key"),
        Column("request_digest", LargeBinary, nullable=False),
        whole("status"),
        words("headers", "{}"),
        Column("body", LargeBinary, nullable=False),
        time("created_at"),
        PrimaryKeyConstraint("tenant", "actor", "idempotency_key"),
        _to_tenant(),
        sqlite_strict=True,
    )
    op.create_index("idempotency_keys_by_time", "idempotency_keys", ["tenant", "created_at"])


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        words("tenant"),
        words("job"),
        words("owner", ""),
        time("leased_until", nullable=True),
        words("position", ""),
        time("started_at", nullable=True),
        time("finished_at", nullable=True),
        whole("done", 0),
        words("error", ""),
        words("note", ""),
        PrimaryKeyConstraint("tenant", "job"),
        _to_tenant(),
        sqlite_strict=True,
    )


def _make_totals() -> None:
    op.create_table(
        "totals",
        words("tenant"),
        words("day"),
        words("from_account"),
        words("to_account"),
        Column("points", Whole, nullable=False),
        whole("transfers"),
        CheckConstraint("points >= 0"),
        PrimaryKeyConstraint("tenant", "day", "from_account", "to_account"),
        _to_tenant(),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "total_parts",
        words("tenant"),
        words("transfer_id"),
        words("from_account"),
        words("to_account"),
        words("day"),
        Column("points", Whole, nullable=False),
        whole("transfers"),
        CheckConstraint("points > 0"),
        PrimaryKeyConstraint("tenant", "transfer_id", "from_account", "to_account"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _make_contacts() -> None:
    op.create_table(
        "contacts",
        words("tenant"),
        words("terminal"),
        time("contacted_at"),
        words("journal"),
        Column("head", Whole),
        PrimaryKeyConstraint("tenant", "terminal"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _index_the_quarantine() -> None:
    op.create_index(
        "entries_quarantined",
        "entries",
        ["tenant", "effective_at", "terminal", "journal", "seq"],
        sqlite_where=text("outcome = 'quarantined'"),
        postgresql_where=text("outcome = 'quarantined'"),
    )
