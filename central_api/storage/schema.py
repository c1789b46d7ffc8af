"""Central's tables, as SQLAlchemy Core knows them. No queries, no rules.

Every key starts with the tenant, the journal's tables go on with the terminal, the ledger's with the member, so that
the schema can be distributed without another design. Nothing is deleted but what erasure and interest delete: entries,
receipts and transfers stay for ever. A change of a table is a step in `central_api.storage.migrations` too.

Times are UTC in RFC 3339 with milliseconds, which sorts as text. Flags are 0 or 1. On SQLite all tables are STRICT.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    UniqueConstraint,
    text,
)

from central_api.storage.columns import Whole, Words, flag, key, one_of, time, whole, words

__all__ = [
    "ACCOUNTS",
    "SCHEMA_VERSION",
    "aliases",
    "attachments",
    "balances",
    "changes",
    "enrolment_codes",
    "entries",
    "epochs",
    "feeds",
    "gaps",
    "grant_uses",
    "grants",
    "interest",
    "journals",
    "member_keys",
    "members",
    "meta",
    "metadata",
    "programmes",
    "receipts",
    "recoveries",
    "reservations",
    "returned_lines",
    "sales",
    "sittings",
    "table",
    "tellings",
    "tenants",
    "terminals",
    "to_tenant",
    "transfers",
    "waiting",
]

SCHEMA_VERSION = 9
ACCOUNTS = ("issued", "available", "pending", "reserved", "redeemed", "expired", "owed", "offline_loss")
OUTCOMES = ("applied", "held", "rejected", "quarantined")

metadata = MetaData()


def table(name: str, *parts: Any, with_rowid: bool = True) -> Table:
    """Declare a table; without a rowid it is kept in the order of its key."""
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=with_rowid)


def to_tenant() -> ForeignKeyConstraint:
    """Return the reference of a row to its tenant."""
    return ForeignKeyConstraint(["tenant"], ["tenants.tenant"])


def _to_terminal() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "terminal"], ["terminals.tenant", "terminals.terminal"])


def _to_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"])


# `epoch` names one life of this database, `schema_version` its form.
meta = table("meta", key("name"), words("value"))

tenants = table("tenants", key("tenant"), time("created_at"))

programmes = table(
    "programmes",
    key("tenant"),
    Column("version", Whole, primary_key=True, autoincrement=False),
    words("document"),
    words("key_id"),
    Column("signature", LargeBinary, nullable=False),
    time("activated_at"),
    to_tenant(),
)

# The terminal's id is the name it was given. Key and token are null until it has enrolled.
terminals = table(
    "terminals",
    key("tenant"),
    key("terminal"),
    words("state", "new"),
    Column("public_key", LargeBinary),
    Column("token_hash", Words),
    words("agent_version", ""),
    time("created_at"),
    time("enrolled_at", nullable=True),
    one_of("state", ("new", "enrolled", "revoked")),
    to_tenant(),
)
# Not unique, since a unique key would have to contain the tenant, which a token alone does not tell: 256 random bits
# do not meet twice.
Index("terminals_by_token", terminals.c.token_hash)

enrolment_codes = table(
    "enrolment_codes",
    key("tenant"),
    key("code_hash"),
    words("terminal"),
    time("expires_at"),
    time("used_at", nullable=True),
    _to_terminal(),
)
Index("enrolment_codes_by_hash", enrolment_codes.c.code_hash)

journals = table(
    "journals",
    key("tenant"),
    key("terminal"),
    key("journal"),
    Column("first_hash", LargeBinary, nullable=False),
    whole("watermark"),
    Column("watermark_hash", LargeBinary, nullable=False),
    time("opened_at"),
    CheckConstraint("watermark >= 0"),
    _to_terminal(),
)

# `id` is null where the bytes cannot be read or name an id that an earlier entry has; `id_claimed` then says what they
# name. `points` is the net effect on the member's balance, null where there is none. `sitting` and `turn` tell the
# order in which entries were judged last; both are 0 where a release judged them that did not tell.
entries = table(
    "entries",
    key("tenant"),
    key("terminal"),
    key("journal"),
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("id", Words),
    words("id_claimed", ""),
    Column("kind", Words),
    Column("bytes", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    time("received_at"),
    time("effective_at"),
    *flag("clamped"),
    Column("member_id", Words),
    words("outcome"),
    words("reason", ""),
    Column("points", Whole),
    whole("sitting", 0),
    whole("turn", 0),
    UniqueConstraint("tenant", "id"),
    CheckConstraint("seq >= 1"),
    one_of("outcome", OUTCOMES),
    ForeignKeyConstraint(
        ["tenant", "terminal", "journal"], ["journals.tenant", "journals.terminal", "journals.journal"]
    ),
)
Index("entries_by_member", entries.c.tenant, entries.c.member_id, entries.c.effective_at)
# In canonical order. Nearly all entries are applied, and are not in it.
Index(
    "entries_quarantined",
    entries.c.tenant,
    entries.c.effective_at,
    entries.c.terminal,
    entries.c.journal,
    entries.c.seq,
    sqlite_where=text("outcome = 'quarantined'"),
    postgresql_where=text("outcome = 'quarantined'"),
)

# Numbers the sittings of all tenants. Only PostgreSQL has sequences; see `central_api.storage.sittings`.
sittings = Sequence("sittings", metadata=metadata)

# Sealed under the member's own key, or, while no member is known, still as the terminal sealed it to central.
attachments = table(
    "attachments",
    key("tenant"),
    key("entry_id"),
    words("attachment_hash"),
    Column("member_id", Words),
    Column("sealed", LargeBinary, nullable=False),
)

# The first entry that named a receipt key has it for ever.
receipts = table(
    "receipts",
    key("tenant"),
    key("store"),
    key("register"),
    key("business_date"),
    key("series"),
    key("number"),
    words("entry_id"),
    with_rowid=False,
)

# What reversals need to know of an applied sale beside its bytes. `points_debited` and `points_credited` are what has
# come back in all.
sales = table(
    "sales",
    key("tenant"),
    key("entry_id"),
    words("terminal"),
    words("journal"),
    Column("member_id", Words),
    Column("programme_version", Whole),
    whole("points_earned"),
    whole("points_redeemed"),
    whole("discount_minor"),
    whole("points_overdrawn", 0),
    whole("points_debited", 0),
    whole("points_credited", 0),
    with_rowid=False,
)

returned_lines = table(
    "returned_lines",
    key("tenant"),
    key("sale_id"),
    Column("line", Integer, primary_key=True, autoincrement=False),
    words("quantity"),
    with_rowid=False,
)

# Held entries by what they wait for: `receipt:…` the sale of a return, `alias:…` the digest of an unknown alias.
waiting = table("waiting", key("tenant"), key("waits_for"), key("entry_id"), with_rowid=False)

members = table(
    "members",
    key("tenant"),
    key("member_id"),
    Column("name_sealed", LargeBinary),
    words("tier", ""),
    whole("revision", 1),
    time("created_at"),
    to_tenant(),
)

# The member's own key, wrapped by the master key of the key file. Erasure deletes the row.
member_keys = table(
    "member_keys",
    key("tenant"),
    key("member_id"),
    Column("wrapped", LargeBinary, nullable=False),
    _to_member(),
)

aliases = table(
    "aliases",
    key("tenant"),
    key("digest"),
    Column("sealed", LargeBinary, nullable=False),
    words("kind"),
    words("member_id"),
    _to_member(),
    with_rowid=False,
)
Index("aliases_by_member", aliases.c.tenant, aliases.c.member_id)

# Each figure is the sum of the member's transfers; `owed` shows as positive what the account `owed` has as negative.
balances = table(
    "balances",
    key("tenant"),
    key("member_id"),
    whole("available", 0),
    whole("pending", 0),
    whole("owed", 0),
    CheckConstraint("available >= 0"),
    CheckConstraint("pending >= 0"),
    CheckConstraint("owed >= 0"),
    CheckConstraint("NOT (available > 0 AND owed > 0)"),
    _to_member(),
    with_rowid=False,
)

reservations = table(
    "reservations",
    key("tenant"),
    key("member_id"),
    key("terminal"),
    whole("points", 0),
    CheckConstraint("points >= 0"),
    _to_member(),
    with_rowid=False,
)

# `id` is the id of the entry or grant that caused it and a number, so that nothing can be booked twice.
transfers = table(
    "transfers",
    key("tenant"),
    key("id"),
    words("member_id"),
    words("from_account"),
    words("to_account"),
    whole("points"),
    Column("entry_id", Words),
    Column("grant_id", Words),
    words("terminal"),
    time("effective_at"),
    time("recorded_at"),
    words("reason"),
    CheckConstraint("points > 0"),
    CheckConstraint("from_account <> to_account"),
    one_of("from_account", ACCOUNTS),
    one_of("to_account", ACCOUNTS),
    _to_member(),
    with_rowid=False,
)
Index("transfers_by_member", transfers.c.tenant, transfers.c.member_id, transfers.c.effective_at)

# Reserved of a grant is points - spent - released, never below 0: what is spent beyond is `overdrawn`, central's loss.
grants = table(
    "grants",
    key("tenant"),
    key("grant_id"),
    words("member_id"),
    words("terminal"),
    whole("points"),
    whole("spent", 0),
    whole("released", 0),
    whole("overdrawn", 0),
    time("not_after"),
    Column("redemption_id", Words),
    Column("points_wanted", Whole),
    words("document"),
    words("key_id"),
    Column("signature", LargeBinary, nullable=False),
    words("state", "open"),
    *flag("recalled"),
    time("issued_at"),
    UniqueConstraint("tenant", "redemption_id"),
    CheckConstraint("points >= 0 AND spent >= 0 AND released >= 0 AND overdrawn >= 0"),
    CheckConstraint("spent + released <= points"),
    one_of("state", ("open", "closed")),
    _to_member(),
    _to_terminal(),
)
Index("grants_by_member", grants.c.tenant, grants.c.member_id, grants.c.terminal)
Index("grants_by_terminal", grants.c.tenant, grants.c.terminal, grants.c.state)

# How an applied sale used its grants: `points` came from what was reserved, `overdrawn` from central's loss.
grant_uses = table(
    "grant_uses",
    key("tenant"),
    key("entry_id"),
    key("grant_id"),
    whole("points"),
    whole("overdrawn", 0),
    with_rowid=False,
)

# One row for each thing that a terminal is to hear of, numbered anew whenever it changes, so that the feed of a
# terminal that was away for a month holds each thing once. `key` is a member id, a grant id or `journal/seq`.
changes = table(
    "changes",
    key("tenant"),
    key("terminal"),
    key("what"),
    key("key"),
    whole("number"),
    one_of("what", ("snapshot", "grant", "grant_recalled", "outcome")),
    with_rowid=False,
)
Index("changes_by_terminal", changes.c.tenant, changes.c.terminal, changes.c.number)

# The highest number that a terminal's feed has given. Its row is locked until the transaction that took a number ends,
# so that the numbers of one feed commit in their order. `moment` is when that transaction began, see `tellings`.
feeds = table("feeds", key("tenant"), key("terminal"), whole("number", 0), whole("moment", 0), with_rowid=False)

# The moment of every transaction that told a terminal of something, in microseconds since 1970. A restored backup lacks
# those after it, and so knows a cursor of the life that was lost. A row is small and stays for good.
tellings = table("tellings", key("tenant"), Column("moment", Whole, primary_key=True), with_rowid=False)

# Which terminal wants to hear of which member: it asked for the member or sold to it.
interest = table("interest", key("tenant"), key("member_id"), key("terminal"), with_rowid=False)

# The lives of this database: one begins with `init`, and another each time that a terminal shows it to be a restored
# backup. The one in force is in `meta`; the first of a database of release 0.1.0 is only there.
epochs = table("epochs", key("epoch"), time("began_at"), words("cause"))

# Which terminals a restored central waits for before it grants anything: each reports, then returns what it holds up to
# `needed_seq`. Rows are of the epoch in force.
recoveries = table(
    "recoveries",
    key("tenant"),
    key("terminal"),
    words("epoch"),
    words("state", "waiting"),
    words("journal", ""),
    whole("needed_seq", 0),
    time("reported_at", nullable=True),
    one_of("state", ("waiting", "returning", "complete", "overridden")),
    _to_terminal(),
)

# What a restored central lacks and the terminal has pruned, with the terminal's signed report.
gaps = table(
    "gaps",
    key("tenant"),
    key("terminal"),
    key("journal"),
    Column("first_seq", Whole, primary_key=True, autoincrement=False),
    whole("last_seq"),
    words("epoch"),
    time("recorded_at"),
    words("report"),
    Column("signature", LargeBinary, nullable=False),
    CheckConstraint("first_seq <= last_seq"),
    _to_terminal(),
)
