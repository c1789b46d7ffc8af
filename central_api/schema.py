"""Central's tables, as SQLAlchemy Core knows them. No queries, no rules.

Every key starts with the tenant, the journal's tables go on with the terminal, the ledger's with the member, so that
the schema can be distributed without another design. Nothing is deleted but what erasure and interest delete: entries,
receipts and transfers stay for ever.

Times are UTC in RFC 3339 with milliseconds, which sorts as text. Flags are 0 or 1. On SQLite all tables are STRICT.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

__all__ = [
    "ACCOUNTS",
    "SCHEMA_VERSION",
    "Instant",
    "aliases",
    "attachments",
    "balances",
    "changes",
    "enrolment_codes",
    "entries",
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
    "reservations",
    "returned_lines",
    "sales",
    "tenants",
    "terminals",
    "transfers",
    "waiting",
]

SCHEMA_VERSION = 1
ACCOUNTS = ("issued", "available", "pending", "reserved", "redeemed", "expired", "owed", "offline_loss")
OUTCOMES = ("applied", "held", "rejected", "quarantined")

metadata = MetaData()

Whole = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC text of fixed width: `2026-05-01T08:30:00.000+00:00`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Refuse naive times: they would sort wrongly without anybody noticing."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its offset cannot be stored")
        return value.astimezone(UTC).isoformat(timespec="milliseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return an aware datetime in UTC."""
        return None if value is None else datetime.fromisoformat(value)


def _table(name: str, *parts: Any, with_rowid: bool = True) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=with_rowid)


def _key(name: str) -> Column[Any]:
    return Column(name, Text, primary_key=True)


def _text(name: str, default: str | None = None) -> Column[Any]:
    server_default = None if default is None else text(f"'{default}'")
    return Column(name, Text, nullable=False, server_default=server_default)


def _whole(name: str, default: int | None = None) -> Column[Any]:
    return Column(name, Whole, nullable=False, server_default=None if default is None else text(str(default)))


def _flag(name: str) -> list[Any]:
    column = Column(name, Integer, nullable=False, server_default=text("0"))
    return [column, CheckConstraint(f"{name} IN (0, 1)")]


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Instant, nullable=nullable)


def _one_of(name: str, allowed: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{name} IN ({', '.join(repr(value) for value in allowed)})")


def _to_tenant() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant"], ["tenants.tenant"])


def _to_terminal() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "terminal"], ["terminals.tenant", "terminals.terminal"])


def _to_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"])


# `epoch` names one life of this database, `schema_version` its form.
meta = _table("meta", _key("name"), _text("value"))

tenants = _table("tenants", _key("tenant"), _time("created_at"))

programmes = _table(
    "programmes",
    _key("tenant"),
    Column("version", Whole, primary_key=True, autoincrement=False),
    _text("document"),
    _text("key_id"),
    Column("signature", LargeBinary, nullable=False),
    _time("activated_at"),
    _to_tenant(),
)

# The terminal's id is the name it was given. Key and token are null until it has enrolled.
terminals = _table(
    "terminals",
    _key("tenant"),
    _key("terminal"),
    _text("state", "new"),
    Column("public_key", LargeBinary),
    Column("token_hash", Text),
    _text("agent_version", ""),
    _time("created_at"),
    _time("enrolled_at", nullable=True),
    _one_of("state", ("new", "enrolled", "revoked")),
    _to_tenant(),
)
# Not unique, since a unique key would have to contain the tenant, which a token alone does not tell: 256 random bits
# do not meet twice.
Index("terminals_by_token", terminals.c.token_hash)

enrolment_codes = _table(
    "enrolment_codes",
    _key("tenant"),
    _key("code_hash"),
    _text("terminal"),
    _time("expires_at"),
    _time("used_at", nullable=True),
    _to_terminal(),
)
Index("enrolment_codes_by_hash", enrolment_codes.c.code_hash)

journals = _table(
    "journals",
    _key("tenant"),
    _key("terminal"),
    _key("journal"),
    Column("first_hash", LargeBinary, nullable=False),
    _whole("watermark"),
    Column("watermark_hash", LargeBinary, nullable=False),
    _time("opened_at"),
    CheckConstraint("watermark >= 0"),
    _to_terminal(),
)

# `id` is null where the bytes cannot be read or name an id that an earlier entry has; `id_claimed` then says what they
# name. `points` is the net effect on the member's balance, null where there is none.
entries = _table(
    "entries",
    _key("tenant"),
    _key("terminal"),
    _key("journal"),
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("id", Text),
    _text("id_claimed", ""),
    Column("kind", Text),
    Column("bytes", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    _time("received_at"),
    _time("effective_at"),
    *_flag("clamped"),
    Column("member_id", Text),
    _text("outcome"),
    _text("reason", ""),
    Column("points", Whole),
    UniqueConstraint("tenant", "id"),
    CheckConstraint("seq >= 1"),
    _one_of("outcome", OUTCOMES),
    ForeignKeyConstraint(
        ["tenant", "terminal", "journal"], ["journals.tenant", "journals.terminal", "journals.journal"]
    ),
)
Index("entries_by_member", entries.c.tenant, entries.c.member_id, entries.c.effective_at)

# Sealed under the member's own key, or, while no member is known, still as the terminal sealed it to central.
attachments = _table(
    "attachments",
    _key("tenant"),
    _key("entry_id"),
    _text("attachment_hash"),
    Column("member_id", Text),
    Column("sealed", LargeBinary, nullable=False),
)

# The first entry that named a receipt key has it for ever.
receipts = _table(
    "receipts",
    _key("tenant"),
    _key("store"),
    _key("register"),
    _key("business_date"),
    _key("series"),
    _key("number"),
    _text("entry_id"),
    with_rowid=False,
)

# What reversals need to know of an applied sale beside its bytes. `points_debited` and `points_credited` are what has
# come back in all.
sales = _table(
    "sales",
    _key("tenant"),
    _key("entry_id"),
    _text("terminal"),
    _text("journal"),
    Column("member_id", Text),
    Column("programme_version", Whole),
    _whole("points_earned"),
    _whole("points_redeemed"),
    _whole("discount_minor"),
    _whole("points_overdrawn", 0),
    _whole("points_debited", 0),
    _whole("points_credited", 0),
    with_rowid=False,
)

returned_lines = _table(
    "returned_lines",
    _key("tenant"),
    _key("sale_id"),
    Column("line", Integer, primary_key=True, autoincrement=False),
    _text("quantity"),
    with_rowid=False,
)

# Held entries by what they wait for: `receipt:…` the sale of a return, `alias:…` the digest of an unknown alias.
waiting = _table("waiting", _key("tenant"), _key("waits_for"), _key("entry_id"), with_rowid=False)

members = _table(
    "members",
    _key("tenant"),
    _key("member_id"),
    Column("name_sealed", LargeBinary),
    _text("tier", ""),
    _whole("revision", 1),
    _time("created_at"),
    _to_tenant(),
)

# The member's own key, wrapped by the master key of the key file. Erasure deletes the row.
member_keys = _table(
    "member_keys",
    _key("tenant"),
    _key("member_id"),
    Column("wrapped", LargeBinary, nullable=False),
    _to_member(),
)

aliases = _table(
    "aliases",
    _key("tenant"),
    _key("digest"),
    Column("sealed", LargeBinary, nullable=False),
    _text("kind"),
    _text("member_id"),
    _to_member(),
    with_rowid=False,
)
Index("aliases_by_member", aliases.c.tenant, aliases.c.member_id)

# Each figure is the sum of the member's transfers; `owed` shows as positive what the account `owed` has as negative.
balances = _table(
    "balances",
    _key("tenant"),
    _key("member_id"),
    _whole("available", 0),
    _whole("pending", 0),
    _whole("owed", 0),
    CheckConstraint("available >= 0"),
    CheckConstraint("pending >= 0"),
    CheckConstraint("owed >= 0"),
    CheckConstraint("NOT (available > 0 AND owed > 0)"),
    _to_member(),
    with_rowid=False,
)

reservations = _table(
    "reservations",
    _key("tenant"),
    _key("member_id"),
    _key("terminal"),
    _whole("points", 0),
    CheckConstraint("points >= 0"),
    _to_member(),
    with_rowid=False,
)

# `id` is the id of the entry or grant that caused it and a number, so that nothing can be booked twice.
transfers = _table(
    "transfers",
    _key("tenant"),
    _key("id"),
    _text("member_id"),
    _text("from_account"),
    _text("to_account"),
    _whole("points"),
    Column("entry_id", Text),
    Column("grant_id", Text),
    _text("terminal"),
    _time("effective_at"),
    _time("recorded_at"),
    _text("reason"),
    CheckConstraint("points > 0"),
    CheckConstraint("from_account <> to_account"),
    _one_of("from_account", ACCOUNTS),
    _one_of("to_account", ACCOUNTS),
    _to_member(),
    with_rowid=False,
)
Index("transfers_by_member", transfers.c.tenant, transfers.c.member_id, transfers.c.effective_at)

# Reserved of a grant is points - spent - released, never below 0: what is spent beyond is `overdrawn`, central's loss.
grants = _table(
    "grants",
    _key("tenant"),
    _key("grant_id"),
    _text("member_id"),
    _text("terminal"),
    _whole("points"),
    _whole("spent", 0),
    _whole("released", 0),
    _whole("overdrawn", 0),
    _time("not_after"),
    Column("redemption_id", Text),
    Column("points_wanted", Whole),
    _text("document"),
    _text("key_id"),
    Column("signature", LargeBinary, nullable=False),
    _text("state", "open"),
    *_flag("recalled"),
    _time("issued_at"),
    UniqueConstraint("tenant", "redemption_id"),
    CheckConstraint("points >= 0 AND spent >= 0 AND released >= 0 AND overdrawn >= 0"),
    CheckConstraint("spent + released <= points"),
    _one_of("state", ("open", "closed")),
    _to_member(),
    _to_terminal(),
)
Index("grants_by_member", grants.c.tenant, grants.c.member_id, grants.c.terminal)
Index("grants_by_terminal", grants.c.tenant, grants.c.terminal, grants.c.state)

# How an applied sale used its grants: `points` came from what was reserved, `overdrawn` from central's loss.
grant_uses = _table(
    "grant_uses",
    _key("tenant"),
    _key("entry_id"),
    _key("grant_id"),
    _whole("points"),
    _whole("overdrawn", 0),
    with_rowid=False,
)

# One row for each thing that a terminal is to hear of, numbered anew whenever it changes, so that the feed of a
# terminal that was away for a month holds each thing once. `key` is a member id, a grant id or `journal/seq`.
changes = _table(
    "changes",
    _key("tenant"),
    _key("terminal"),
    _key("what"),
    _key("key"),
    _whole("number"),
    _one_of("what", ("snapshot", "grant", "grant_recalled", "outcome")),
    with_rowid=False,
)
Index("changes_by_number", changes.c.tenant, changes.c.number)
Index("changes_by_terminal", changes.c.tenant, changes.c.terminal, changes.c.number)

# Which terminal wants to hear of which member: it asked for the member or sold to it.
interest = _table("interest", _key("tenant"), _key("member_id"), _key("terminal"), with_rowid=False)
