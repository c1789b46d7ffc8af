"""The command `loyalty-central audit list`, and how what commands do gets into the audit trail."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.commands.output import print_json, print_table
from central_api.office.audit import act_list
from central_api.storage.audit import COMMAND_LINE, Act, note_act
from central_api.storage.paging import Paging

__all__ = ["act", "audit_list"]

COLUMNS = ("acted_at", "actor", "act", "subject", "detail")

Options = argparse.Namespace
T = TypeVar("T")


async def act(central: Central, tenant: str, work: Callable[[Connection], T], told: Callable[[T], Act]) -> T:
    """Do work in one transaction, and note there what was done, by the command line."""

    def audited(connection: Connection) -> T:
        done = work(connection)
        note_act(connection, central.capabilities, tenant, COMMAND_LINE, told(done))
        return done

    return await central.database.write(audited)


async def audit_list(options: Options, central: Central, tenant: str) -> None:
    """Show who did what, the newest first."""
    paging = Paging(name="audit", limit=options.limit)
    found = (await central.database.read(lambda connection: act_list(connection, tenant, paging))).items
    if options.json:
        print_json({"acts": found})
    else:
        print_table("acts", [asdict(one) for one in found], COLUMNS)
