"""The audit trail: who did what to terminals, keys, the programme and grants. What people decide about points is apart.

An act is noted in the transaction that does it, so that there is neither without the other. It names things by their
ids and holds no personal data. Nobody changes or removes it.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from central_api.capabilities import Capabilities
from central_api.storage.schema_office import acts
from central_api.storage.statements import insert_rows
from loyalty_sdk.office import ActKind

__all__ = ["COMMAND_LINE", "Act", "note_act"]

COMMAND_LINE = "command line"


class Act(NamedTuple):
    """What was done, and to what: the name of a terminal, the id of a key or grant, a version, an epoch."""

    act: ActKind
    subject: str
    detail: str = ""


def note_act(connection: Connection, capabilities: Capabilities, tenant: str, actor: str, act: Act) -> None:
    """Note what `actor` did: `key:ID`, `terminal:NAME` or COMMAND_LINE."""
    row = {"tenant": tenant, "act_id": capabilities.new_id(), "acted_at": capabilities.now(), "actor": actor}
    insert_rows(connection, acts, [row | act._asdict()])
