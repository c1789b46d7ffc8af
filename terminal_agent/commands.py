"""The commands of `loyalty-agent` as a table. A command imports what it needs when it runs: `--help` stays quick."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from terminal_agent.command import Command, CommandFailed, agent_till
from terminal_agent.command import directory_argument as _directory_argument
from terminal_agent.command import json_argument as _json_argument
from terminal_agent.data_directory import DataDirectory
from terminal_agent.printer_commands import PRINTER_COMMANDS

__all__ = ["COMMANDS", "Command", "CommandFailed"]


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--central", required=True, metavar="URL", help="the address of the loyalty API")
    parser.add_argument(
        "--code", required=True, help="the one-time code that `loyalty-central terminal add NAME` printed"
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="enrol a directory anew that has an identity, and keep its journal: after the terminal was revoked, or "
        "where a central restored from a backup does not know it",
    )
    _directory_argument(parser)


def _init(options: argparse.Namespace) -> int:
    from terminal_agent._version import VERSION
    from terminal_agent.bootstrap import system_host
    from terminal_agent.enrolment import EnrolmentFailed, enrol

    directory = DataDirectory.at(options.directory)
    try:
        identity = enrol(
            directory,
            url=options.central,
            code=options.code,
            agent_version=VERSION,
            host=system_host(),
            again=options.again,
        )
    except EnrolmentFailed as error:
        raise CommandFailed(str(error)) from None
    except OSError as error:
        raise CommandFailed(
            f"{directory.path} cannot be written ({error.strerror}): choose another --directory"
        ) from None
    print(f"Terminal {identity.terminal} is enrolled. Its scanners and printers go into {directory.settings}")
    print(f"Start it:  loyalty-agent run --directory {directory.path}")
    return 0


def _add_run(parser: argparse.ArgumentParser) -> None:
    _directory_argument(parser)
    parser.add_argument("--failpoints", type=Path, metavar="DIR", help=argparse.SUPPRESS)


def _run(options: argparse.Namespace) -> int:
    # httpx brings a command line of its own, and with it rich and pygments: 5 MB that no till needs.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None makes the import fail, as meant.

    from drivers.errors import DriverError
    from sync.identity import IdentityError
    from sync.store import StoreRefused
    from terminal_agent.data_directory import DirectoryTaken
    from terminal_agent.serving import serve
    from terminal_agent.settings import ConfigurationError

    try:
        serve(DataDirectory.at(options.directory), options.failpoints)
    except* (ConfigurationError, IdentityError, DirectoryTaken, StoreRefused, DriverError) as group:
        raise CommandFailed("; ".join(str(error) for error in group.exceptions)) from None
    except* OSError as group:
        reasons = "; ".join(str(error) for error in group.exceptions)
        raise CommandFailed(f"the agent cannot run ({reasons}): check the files and rights of --directory") from None
    return 0


def _add_status(parser: argparse.ArgumentParser) -> None:
    _directory_argument(parser)
    _json_argument(parser)
    parser.add_argument(
        "--follow",
        action="store_true",
        help="go on showing it: entries left, entries a second and time left; end it with Ctrl-C",
    )


def _status(options: argparse.Namespace) -> int:
    from loyalty_sdk.codec import encode
    from terminal_agent.following import follow
    from terminal_agent.tables import print_facts

    with agent_till(options, cashier="status") as till:
        if options.follow:
            follow(till.status, as_json=options.json)
        facts = encode(till.status())
    if options.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print_facts(facts)
    return 0


def _add_reconcile(parser: argparse.ArgumentParser) -> None:
    _directory_argument(parser)
    _json_argument(parser)


def _reconcile(options: argparse.Namespace) -> int:
    import sqlite3

    import httpx

    from loyalty_sdk.codec import encode
    from sync import identity as identities
    from sync.central import CentralFailure
    from terminal_agent.bootstrap import system_host, trust
    from terminal_agent.reconcile import TIMEOUT_S, reconcile
    from terminal_agent.settings import ConfigurationError, read_settings
    from terminal_agent.tables import print_facts

    directory = DataDirectory.at(options.directory)
    try:
        central = read_settings(directory.settings).central
        identity = identities.read(directory.identity)
        with httpx.Client(base_url=central.url, timeout=TIMEOUT_S, verify=trust(central)) as client:
            result = reconcile(directory.journal, identity, client, system_host())
    except (ConfigurationError, identities.IdentityError) as error:
        raise CommandFailed(str(error)) from None
    except CentralFailure as error:
        raise CommandFailed(f"central could not be asked: {error}") from None
    except sqlite3.Error as error:
        raise CommandFailed(
            f"{directory.journal} cannot be read ({error}): start the agent once to create it"
        ) from None
    if options.json:
        print(json.dumps(encode(result), ensure_ascii=False))
    else:
        print_facts(encode(result))
    return 0 if result.equal else 1


def _add_devices(parser: argparse.ArgumentParser) -> None:
    from terminal_agent import devices_command

    devices_command.add_arguments(parser)


def _devices(options: argparse.Namespace) -> int:
    from terminal_agent import devices_command

    return devices_command.run(options)


def _add_scan_test(parser: argparse.ArgumentParser) -> None:
    from terminal_agent import scan_test_command

    scan_test_command.add_arguments(parser)


def _scan_test(options: argparse.Namespace) -> int:
    from terminal_agent import scan_test_command

    return scan_test_command.run(options)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    from terminal_agent.demo import command

    command.add_arguments(parser)


def _demo(options: argparse.Namespace) -> int:
    from terminal_agent.demo import command

    return command.run(options)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    from terminal_agent.replay import command

    command.add_arguments(parser)


def _replay(options: argparse.Namespace) -> int:
    from terminal_agent.replay import command

    return command.run(options)


COMMANDS = (
    Command(
        name="init",
        summary="enrol this terminal at central and write a commented agent.toml",
        description="Makes a key, enrols this terminal with a one-time code, pins central's keys, and writes a "
        "commented agent.toml into the data directory.",
        add_arguments=_add_init,
        run=_init,
    ),
    Command(
        name="run",
        summary="run the agent",
        description="Runs the agent until SIGTERM: scanners, printers, journal, exchange with central, local API.",
        add_arguments=_add_run,
        run=_run,
    ),
    Command(
        name="status",
        summary="show the state of a running agent",
        description="Shows identity, journal, queue to central, devices, and warnings with their remedies.",
        add_arguments=_add_status,
        run=_status,
    ),
    Command(
        name="reconcile",
        summary="compare the journal with central, entry by entry and by hash",
        description="Compares every entry's id and chain hash with what central holds. Exit status 1 means that they "
        "differ. Changes nothing; the agent may be running.",
        add_arguments=_add_reconcile,
        run=_reconcile,
    ),
    *PRINTER_COMMANDS,
    Command(
        name="devices",
        summary="list the serial ports, what hangs on them, and what to configure",
        description="",
        add_arguments=_add_devices,
        run=_devices,
    ),
    Command(
        name="scan-test",
        summary="show live what a scanner sends, byte by byte and decoded",
        description="",
        add_arguments=_add_scan_test,
        run=_scan_test,
    ),
    Command(
        name="demo",
        summary="sell a day on this machine, with central dying and the agent being killed",
        description="Starts central, an agent, a scanner and a printer on this machine, sells a day with outages and "
        "kills, and compares every balance with an independent oracle.",
        add_arguments=_add_demo,
        run=_demo,
    ),
    Command(
        name="replay",
        summary="run a CSV file of real receipts through the whole chain",
        description="Runs a file of real receipts through agents and central, with outages and kills if wanted, and "
        "compares every balance with an independent oracle.",
        add_arguments=_add_replay,
        run=_replay,
    ),
)
