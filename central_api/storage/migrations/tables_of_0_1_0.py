"""The tables of release 0.1.0, where every migration begins. Frozen: later changes are steps in `versions`."""

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
    Table,
    UniqueConstraint,
)

from central_api.storage.columns import Whole, Words, flag, key, one_of, time, whole, words

__all__ = ["metadata"]

ACCOUNTS = ("issued", "available", "pending", "reserved", "redeemed", "expired", "owed", "offline_loss")
OUTCOMES = ("applied", "held", "rejected", "quarantined")

metadata = MetaData()


def _table(name: str, *parts: Any, with_rowid: bool = True) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True, sqlite_with_rowid=with_rowid)


def _to_tenant() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant"], ["tenants.tenant"])


def _to_terminal() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "terminal"], ["terminals.tenant", "terminals.terminal"])


def _to_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"])


meta = _table("meta", key("name"), words("value"))

tenants = _table("tenants", key("tenant"), time("created_at"))

programmes = _table(
    "programmes",
    key("tenant"),
    Column("version", Whole, primary_key=True, autoincrement=False),
    words("document"),
    words("key_id"),
    Column("signature", LargeBinary, nullable=False),
    time("activated_at"),
    _to_tenant(),
)

terminals = _table(
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
    _to_tenant(),
)
Index("terminals_by_token", terminals.c.token_hash)

enrolment_codes = _table(
    "enrolment_codes",
    key("tenant"),
    key("code_hash"),
    words("terminal"),
    time("expires_at"),
    time("used_at", nullable=True),
    _to_terminal(),
)
Index("enrolment_codes_by_hash", enrolment_codes.c.code_hash)

journals = _table(
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

entries = _table(
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
    UniqueConstraint("tenant", "id"),
    CheckConstraint("seq >= 1"),
    one_of("outcome", OUTCOMES),
    ForeignKeyConstraint(
        ["tenant", "terminal", "journal"], ["journals.tenant", "journals.terminal", "journals.journal"]
    ),
)
Index("entries_by_member", entries.c.tenant, entries.c.member_id, entries.c.effective_at)

attachments = _table(
    "attachments",
    key("tenant"),
    key("entry_id"),
    words("attachment_hash"),
    Column("member_id", Words),
    Column("sealed", LargeBinary, nullable=False),
)

receipts = _table(
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

sales = _table(
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

returned_lines = _table(
    "returned_lines",
    key("tenant"),
    key("sale_id"),
    Column("line", Integer, primary_key=True, autoincrement=False),
    words("quantity"),
    with_rowid=False,
)

waiting = _table("waiting", key("tenant"), key("waits_for"), key("entry_id"), with_rowid=False)

members = _table(
    "members",
    key("tenant"),
    key("member_id"),
    Column("name_sealed", LargeBinary),
    words("tier", ""),
    whole("revision", 1),
    time("created_at"),
    _to_tenant(),
)

member_keys = _table(
    "member_keys",
    key("tenant"),
    key("member_id"),
    Column("wrapped", LargeBinary, nullable=False),
    _to_member(),
)

aliases = _table(
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

balances = _table(
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

reservations = _table(
    "reservations",
    key("tenant"),
    key("member_id"),
    key("terminal"),
    whole("points", 0),
    CheckConstraint("points >= 0"),
    _to_member(),
    with_rowid=False,
)

transfers = _table(
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

grants = _table(
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

grant_uses = _table(
    "grant_uses",
    key("tenant"),
    key("entry_id"),
    key("grant_id"),
    whole("points"),
    whole("overdrawn", 0),
    with_rowid=False,
)

changes = _table(
    "changes",
    key("tenant"),
    key("terminal"),
    key("what"),
    key("key"),
    whole("number"),
    one_of("what", ("snapshot", "grant", "grant_recalled", "outcome")),
    with_rowid=False,
)
Index("changes_by_number", changes.c.tenant, changes.c.number)
Index("changes_by_terminal", changes.c.tenant, changes.c.terminal, changes.c.number)

interest = _table("interest", key("tenant"), key("member_id"), key("terminal"), with_rowid=False)
