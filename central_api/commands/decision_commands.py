"""The commands `loyalty-central member adjust|write-off|merge`: what a person decides about points."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from sqlalchemy import Connection

from central_api.bootstrap import Central
from central_api.commands.output import print_json
from central_api.members import decisions, members
from central_api.members.merging import merge
from central_api.members.views import member_view
from loyalty_sdk.office import MemberView

__all__ = ["member_adjust", "member_merge", "member_write_off"]

# Whoever may run the command may do everything; who it was is known to the machine.
ACTOR = "command"

Options = argparse.Namespace


async def member_adjust(options: Options, central: Central, tenant: str) -> None:
    """Give or take points by hand."""
    await _decide(
        options,
        central,
        tenant,
        lambda connection, member_id: decisions.adjust(
            connection, central.capabilities, tenant, member_id, options.points, options.reason, ACTOR
        ),
    )


async def member_write_off(options: Options, central: Central, tenant: str) -> None:
    """Write off what a member owes."""
    await _decide(
        options,
        central,
        tenant,
        lambda connection, member_id: decisions.write_off(
            connection, central.capabilities, tenant, member_id, options.points, options.reason, ACTOR
        ),
    )


async def member_merge(options: Options, central: Central, tenant: str) -> None:
    """Make one member of two."""

    def decide(connection: Connection, member_id: str) -> None:
        source_id = members.find_member(connection, central.capabilities, tenant, options.source)
        merge(connection, central.capabilities, tenant, source_id, member_id, options.reason, ACTOR)

    await _decide(options, central, tenant, decide)


async def _decide(options: Options, central: Central, tenant: str, decide: Callable[[Connection, str], None]) -> None:
    def work(connection: Connection) -> MemberView:
        member_id = members.find_member(connection, central.capabilities, tenant, options.member)
        decide(connection, member_id)
        return member_view(connection, central.capabilities, tenant, member_id)

    view = await central.database.write(work)
    if options.json:
        print_json(view)
        return
    print(f"{view.member_id}: {view.available} available, {view.pending} pending, {view.reserved} reserved")
    if view.owed:
        print(f"{view.owed} points are owed")
