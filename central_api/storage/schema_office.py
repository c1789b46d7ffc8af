"""Central's tables for those who run the programme: API keys, repeated writes, jobs, totals. No queries, no rules.

Those of terminals and the ledger are in `schema.py` and `schema_ledger.py`; `metadata` holds all.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, LargeBinary

from central_api.storage.columns import Whole, key, one_of, time, whole, words
from central_api.storage.schema import table, to_tenant
from central_api.storage.schema_ledger import metadata

__all__ = [
    "API_KEY_SCOPES",
    "activations",
    "acts",
    "api_keys",
    "contacts",
    "idempotency_keys",
    "jobs",
    "merges",
    "metadata",
    "total_parts",
    "totals",
]

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

# Who did what to terminals, keys, the programme and grants: the audit trail. `actor` is `key:ID`, `terminal:NAME` or
# `command line`; `subject` and `detail` name things by their ids, nothing personal.
acts = table(
    "acts",
    key("tenant"),
    key("act_id"),
    time("acted_at"),
    words("actor"),
    words("act"),
    words("subject"),
    words("detail"),
    to_tenant(),
)
Index("acts_by_time", acts.c.tenant, acts.c.acted_at, acts.c.act_id)

# From when a version of the programme is in force, where that is later than its activation. One that was withdrawn
# before that never is.
activations = table(
    "activations",
    key("tenant"),
    Column("version", Whole, primary_key=True, autoincrement=False),
    time("in_force_at"),
    time("withdrawn_at", nullable=True),
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

# One row for each job of a tenant. Whoever holds the lease works; `position` is how far it came, `note` what a person
# is to know of the last run.
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
    words("note", ""),
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

# What one transaction moved, until the job adds it to `totals`: rows of its own, so that no two writers ever meet (a
# reference to the tenant would lock its row in each of them). `transfer_id` is the transaction's first transfer.
total_parts = table(
    "total_parts",
    key("tenant"),
    key("transfer_id"),
    key("from_account"),
    key("to_account"),
    words("day"),
    Column("points", Whole, nullable=False),
    whole("transfers"),
    CheckConstraint("points > 0"),
    with_rowid=False,
)

# When a terminal was last heard of, to the minute, and the head of its journal then; null where it did not say.
contacts = table(
    "contacts",
    key("tenant"),
    key("terminal"),
    time("contacted_at"),
    words("journal"),
    Column("head", Whole),
    with_rowid=False,
)
