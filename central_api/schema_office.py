"""Central's tables for those who run the programme: API keys, repeated writes, jobs, totals. No queries, no rules.

The tables of terminals and the ledger are in `central_api.schema`; `metadata` here holds both.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, LargeBinary

from central_api.columns import Whole, key, one_of, time, whole, words
from central_api.schema import metadata, table, to_tenant

__all__ = ["API_KEY_SCOPES", "activations", "api_keys", "idempotency_keys", "jobs", "merges", "metadata", "totals"]

API_KEY_SCOPES = ("read-only", "back-office", "administrator")

# A secret is kept as its SHA-256 only. Rotation makes a second secret beside the first, which ends at `expires_at`.
api_keys = table(
    "api_keys",
    key("tenant"),
    key("key_id"),
    words("name"),
    words("scope"),
    words("secret_hash"),
    time("created_at"),
    time("expires_at", nullable=True),
    time("revoked_at", nullable=True),
    words("replaces", ""),
    one_of("scope", API_KEY_SCOPES),
    to_tenant(),
)
Index("api_keys_by_secret", api_keys.c.secret_hash)

# From when a version of the programme is in force, where that is later than its activation.
activations = table(
    "activations",
    key("tenant"),
    Column("version", Whole, primary_key=True, autoincrement=False),
    time("in_force_at"),
    ForeignKeyConstraint(["tenant", "version"], ["programmes.tenant", "programmes.version"]),
)

# A member that was merged into another: what belongs to it is the other's since.
merges = table(
    "merges",
    key("tenant"),
    key("member_id"),
    words("into_member_id"),
    time("merged_at"),
    words("actor"),
    words("reason"),
    ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"]),
    ForeignKeyConstraint(["tenant", "into_member_id"], ["members.tenant", "members.member_id"]),
)
Index("merges_by_target", merges.c.tenant, merges.c.into_member_id)

# What a write under an Idempotency-Key was answered, for as long as it may be repeated.
idempotency_keys = table(
    "idempotency_keys",
    key("tenant"),
    key("actor"),
    key("idempotency_key"),
    Column("request_digest", LargeBinary, nullable=False),
    whole("status"),
    words("headers", "{}"),
    Column("body", LargeBinary, nullable=False),
    time("created_at"),
    to_tenant(),
)
Index("idempotency_keys_by_time", idempotency_keys.c.tenant, idempotency_keys.c.created_at)

# One row for each job of a tenant. Whoever holds the lease works; `position` is how far it came.
jobs = table(
    "jobs",
    key("tenant"),
    key("job"),
    words("owner", ""),
    time("leased_until", nullable=True),
    words("position", ""),
    time("started_at", nullable=True),
    time("finished_at", nullable=True),
    whole("done", 0),
    words("error", ""),
    to_tenant(),
)

# The whole programme's transfers of one day between two accounts, folded apart from the ledger by a job.
totals = table(
    "totals",
    key("tenant"),
    key("day"),
    key("from_account"),
    key("to_account"),
    Column("points", Whole, nullable=False),
    whole("transfers"),
    CheckConstraint("points >= 0"),
    to_tenant(),
    with_rowid=False,
)
