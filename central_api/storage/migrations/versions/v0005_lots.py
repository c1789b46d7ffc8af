"""Schema 5: lots, debits and how far they are settled; what people decided.

No programme had dates before: every lot is available since it was earned, and never expires.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from alembic import op
from sqlalchemy import CheckConstraint, Connection, ForeignKeyConstraint, PrimaryKeyConstraint, text

from central_api.storage.columns import one_of, time, whole, words

revision = "5"
down_revision = "4"

LOT_KINDS = ("sale", "adjustment")
DEBIT_KINDS = ("grant", "unlinked_return", "adjustment", "write_off")
DECISION_KINDS = ("adjustment", "write_off")

_LOTS = """
    INSERT INTO lots (tenant, member_id, lot_id, kind, points, earned_at, available_at)
    SELECT sales.tenant, sales.member_id, sales.entry_id, 'sale', points_earned - points_debited,
           effective_at, effective_at
      FROM sales JOIN entries ON entries.tenant = sales.tenant AND entries.id = sales.entry_id
     WHERE sales.member_id IS NOT NULL AND programme_version IS NOT NULL
"""
# What was set aside, less what was released, or given back by a void of a sale whose grant was closed.
_GRANTS = """
    INSERT INTO debits (tenant, member_id, debit_id, kind, points, effective_at)
    SELECT grants.tenant, member_id, grants.grant_id, 'grant', points - released - coalesce(voided.back, 0), issued_at
      FROM grants LEFT JOIN (
           SELECT tenant, grant_id, sum(points) AS back FROM transfers
            WHERE grant_id IS NOT NULL AND from_account = 'redeemed' AND to_account IN ('available', 'owed')
            GROUP BY tenant, grant_id) AS voided
        ON voided.tenant = grants.tenant AND voided.grant_id = grants.grant_id
"""
_RETURNS = """
    INSERT INTO debits (tenant, member_id, debit_id, kind, points, effective_at)
    SELECT tenant, member_id, entry_id, 'unlinked_return', sum(points), min(effective_at)
      FROM transfers WHERE reason = 'unlinked-return' GROUP BY tenant, member_id, entry_id
"""
_WRITE_OFFS = """
    INSERT INTO debits (tenant, member_id, debit_id, kind, points, effective_at)
    SELECT tenant, member_id, id, 'write_off', points, effective_at
      FROM transfers WHERE from_account = 'offline_loss' AND to_account = 'owed'
"""
_FORGIVEN = """
    INSERT INTO settlements (tenant, member_id, settled_at, written_off)
    SELECT tenant, member_id, max(effective_at), sum(points)
      FROM debits WHERE kind = 'write_off' GROUP BY tenant, member_id
"""
_DECIDED = """
    INSERT INTO decisions (tenant, decision_id, member_id, kind, points, actor, reason, decided_at)
    SELECT debits.tenant, debit_id, debits.member_id, kind, debits.points, 'loyalty-central', reason,
           debits.effective_at
      FROM debits JOIN transfers ON transfers.tenant = debits.tenant AND transfers.id = debit_id
     WHERE kind = 'write_off'
"""
# Parts of sales that came back to the member, with the grants that they had used.
_CREDITED = """
    SELECT sales.tenant, sales.entry_id, points_credited, grant_uses.grant_id, grant_uses.points
      FROM sales JOIN grant_uses ON grant_uses.tenant = sales.tenant AND grant_uses.entry_id = sales.entry_id
     WHERE points_credited > 0 AND grant_uses.points > 0
     ORDER BY sales.tenant, sales.entry_id, grant_uses.grant_id
"""
# Voids that gave grants their points again: what the sale had used of them is no longer there to come back.
_VOIDS = """
    SELECT DISTINCT entries.tenant, entries.bytes
      FROM transfers JOIN entries ON entries.tenant = transfers.tenant AND entries.id = transfers.entry_id
     WHERE transfers.reason = 'void' AND from_account = 'redeemed' AND grant_id IS NOT NULL
"""
_RECEIPT = """
    SELECT entry_id FROM receipts
     WHERE tenant = :tenant AND store = :store AND register = :register AND business_date = :business_date
       AND series = :series AND number = :number
"""
_GIVE_BACK = "UPDATE debits SET points = points - :points WHERE tenant = :tenant AND debit_id = :debit_id"


def upgrade() -> None:
    """Make the tables, and bring over what members were given and what was taken."""
    _make_facts()
    _make_settlements_and_decisions()
    for statement in (_LOTS, _GRANTS, _RETURNS, _WRITE_OFFS, _FORGIVEN, _DECIDED):
        op.execute(statement)
    connection = op.get_bind()
    for values in list(_given_back(connection)):
        connection.execute(text(_GIVE_BACK), values)


def _given_back(connection: Connection) -> Iterator[dict[str, Any]]:
    """What came back of a sale in all is that of its first grant, then that of the next."""
    restored = {_voided(connection, row) for row in connection.execute(text(_VOIDS)).all()}
    sale, left = None, 0
    for row in connection.execute(text(_CREDITED)):
        if sale != (row.tenant, row.entry_id):
            sale, left = (row.tenant, row.entry_id), row.points_credited
        back = min(left, row.points)
        left -= back
        if back and sale not in restored:
            yield {"tenant": row.tenant, "debit_id": row.grant_id, "points": back}


def _voided(connection: Connection, void: Any) -> tuple[str, str]:
    """The sale that a void names."""
    receipt = {"series": "", **json.loads(bytes(void.bytes))["body"]["original"], "tenant": void.tenant}
    entry_id: str = connection.execute(text(_RECEIPT), receipt).scalar_one()
    return void.tenant, entry_id


def _to_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "member_id"], ["members.tenant", "members.member_id"])


def _make_facts() -> None:
    op.create_table(
        "lots",
        words("tenant"),
        words("member_id"),
        words("lot_id"),
        words("kind"),
        whole("points"),
        time("earned_at"),
        time("available_at"),
        time("expires_at", nullable=True),
        CheckConstraint("points >= 0"),
        one_of("kind", LOT_KINDS),
        PrimaryKeyConstraint("tenant", "member_id", "lot_id"),
        _to_member(),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "debits",
        words("tenant"),
        words("member_id"),
        words("debit_id"),
        words("kind"),
        whole("points"),
        time("effective_at"),
        CheckConstraint("points >= 0"),
        one_of("kind", DEBIT_KINDS),
        PrimaryKeyConstraint("tenant", "member_id", "debit_id"),
        _to_member(),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _make_settlements_and_decisions() -> None:
    op.create_table(
        "settlements",
        words("tenant"),
        words("member_id"),
        time("next_due_at", nullable=True),
        time("settled_at", nullable=True),
        whole("expired", 0),
        whole("written_off", 0),
        CheckConstraint("expired >= 0"),
        CheckConstraint("written_off >= 0"),
        PrimaryKeyConstraint("tenant", "member_id"),
        _to_member(),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("settlements_by_due", "settlements", ["tenant", "next_due_at"])
    op.create_table(
        "decisions",
        words("tenant"),
        words("decision_id"),
        words("member_id"),
        words("kind"),
        whole("points"),
        words("actor"),
        words("reason"),
        time("decided_at"),
        CheckConstraint("points <> 0"),
        one_of("kind", DECISION_KINDS),
        PrimaryKeyConstraint("tenant", "decision_id"),
        _to_member(),
        sqlite_strict=True,
    )
    op.create_index("decisions_by_member", "decisions", ["tenant", "member_id"])
