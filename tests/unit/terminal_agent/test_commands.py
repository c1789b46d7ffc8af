"""Every way in which a command cannot be done is one clear line and exit status 2."""

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.identity import write
from terminal_agent import commands
from terminal_agent.cli import main
from terminal_agent.data_directory import DataDirectory
from tests.unit.terminal_agent.rig import Rig

Refused = Callable[..., str]


@pytest.fixture
def directory(tmp_path: Path, rig: Rig) -> DataDirectory:
    """An enrolled terminal without a running agent."""
    found = DataDirectory(tmp_path)
    rig.close()
    write(found.identity, rig.identity)
    found.token.write_text("the-token")
    found.settings.write_text('[central]\nurl = "http://127.0.0.1:9"\n')
    return found


@pytest.fixture
def refused(directory: DataDirectory, capsys: pytest.CaptureFixture[str]) -> Iterator[Refused]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def refused(*arguments: str) -> str:
        assert main([*arguments, "--directory", str(directory.path)]) == 2
        captured = capsys.readouterr()
        said = [line for line in captured.err.splitlines() if line.startswith("loyalty-agent: ")]
        assert (captured.out, len(said)) == ("", 1)
        assert "Traceback" not in captured.err
        return said[0].removeprefix("loyalty-agent: ")

    yield refused
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("command", ["run", "status", "reconcile"])
def test_not_enrolled(directory: DataDirectory, refused: Refused, command: str) -> None:
    directory.settings.unlink()
    assert "make it with `loyalty-agent init`" in refused(command)


@pytest.mark.parametrize("command", ["run", "status", "reconcile"])
def test_a_malformed_configuration(directory: DataDirectory, refused: Refused, command: str) -> None:
    directory.settings.write_text('[central]\nurl = "http://127.0.0.1:9"\nspeed = 1\n')
    assert "agent.toml: central.speed is not a field here" in refused(command)


@pytest.mark.parametrize("command", ["run", "reconcile"])
def test_an_identity_that_is_missing_or_damaged(directory: DataDirectory, refused: Refused, command: str) -> None:
    directory.identity.write_text("{}")
    assert "restore it, or enrol the terminal anew" in refused(command)
    directory.identity.unlink()
    assert "enrol this terminal with `loyalty-agent init`" in refused(command)


@pytest.mark.parametrize("command", ["run", "reconcile"])
def test_a_certificate_authority_that_cannot_be_read(directory: DataDirectory, refused: Refused, command: str) -> None:
    directory.settings.write_text('[central]\nurl = "https://127.0.0.1:9"\ncertificate_authority = "/no/ca.pem"\n')
    assert "correct it in [central]" in refused(command)


def test_a_missing_token(directory: DataDirectory, refused: Refused) -> None:
    directory.token.unlink()
    assert "write a long random text into it" in refused("run")
    assert "token cannot be read" in refused("status")
    directory.token.write_bytes(b"\xff\xfe")
    assert "write a long random text into it" in refused("run")
    assert "token cannot be read" in refused("status")


@pytest.mark.parametrize(
    "command", [("status",), ("print-test",), ("reprint",), ("spool",), ("spool", "cancel", "--all"), ("report", "x")]
)
def test_the_agent_is_not_running(refused: Refused, command: tuple[str, ...]) -> None:
    assert "start it with `loyalty-agent run --directory" in refused(*command)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("reprint", "--number", "7"), "name --store and --register too"),
        (("reprint", "receipt:1", "--store", "1", "--register", "1", "--number", "7"), "name one of them"),
        (("report", "x", "--number", "7"), "X reports have no numbers"),
    ],
)
def test_what_does_not_go_together_is_named(refused: Refused, command: tuple[str, ...], says: str) -> None:
    assert says in refused(*command)


def test_central_cannot_be_reached(refused: Refused) -> None:
    assert refused("reconcile").startswith("central could not be asked: central does not answer")


def test_a_taken_directory(directory: DataDirectory, refused: Refused) -> None:
    with directory.lock():
        assert refused("run").startswith(f"another agent runs on {directory.path}: stop it first")


def test_a_journal_of_a_newer_release_and_one_that_is_none(directory: DataDirectory, refused: Refused) -> None:
    with sqlite3.connect(directory.journal) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "install the release that wrote it" in refused("run")
    for file in directory.path.glob("journal.db*"):
        file.unlink()
    directory.journal.write_bytes(b"this is no database at all" * 100)
    assert "cannot be read" in refused("reconcile")


def test_a_journal_that_is_not_there(directory: DataDirectory, refused: Refused) -> None:
    for file in directory.path.glob("journal.db*"):
        file.unlink()
    assert "start the agent once" in refused("reconcile")


def test_a_socket_that_cannot_be_made(directory: DataDirectory, refused: Refused) -> None:
    (directory.path / "agent.sock").write_text("not a socket")
    assert "nothing else may have that name" in refused("run")
    assert (directory.path / "agent.sock").read_text() == "not a socket"
    directory.settings.write_text(f'[central]\nurl = "http://127.0.0.1:9"\n[local_api]\nsocket = "{"x" * 120}"\n')
    assert "at most 107 bytes" in refused("run")


def test_certificates_that_cannot_be_used(directory: DataDirectory, refused: Refused) -> None:
    directory.settings.write_text(
        '[central]\nurl = "http://127.0.0.1:9"\n'
        '[local_api]\nlisten = "127.0.0.1:0"\ntls_certificate = "a.pem"\ntls_key = "a.key"\n'
    )
    assert "correct them in [local_api]" in refused("run")
    (directory.path / "a.pem").write_text("nonsense")
    (directory.path / "a.key").write_text("nonsense")
    assert "correct them in [local_api]" in refused("run")


def test_a_directory_whose_name_is_special_in_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, directory: DataDirectory
) -> None:
    special = DataDirectory(tmp_path / "a?b#c%20")
    special.create()
    for file in directory.path.iterdir():
        if file.is_file():
            file.rename(special.path / file.name)
    assert main(["reconcile", "--directory", str(special.path)]) == 2
    assert "central could not be asked" in capsys.readouterr().err, "the journal was found"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert all(command.name in shown for command in commands.COMMANDS)


def test_the_program_starts_without_what_only_the_agent_needs() -> None:
    script = (
        "import sys\nfrom terminal_agent.cli import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('httpx', 'sqlalchemy', 'asyncio', 'rich', 'babel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_agent_loads_no_words_tables_or_commands_before_they_are_used() -> None:
    script = (
        "import sys, argparse, json\nfrom terminal_agent import commands\n"
        "try:\n    commands._run(argparse.Namespace(directory='/nonexistent/x', failpoints=None))\n"
        "except commands.CommandFailed:\n    pass\n"
        "print(json.dumps([name for name in ('babel', 'rich', 'escpos', 'pygments', 'fastapi', 'central_api', "
        "'biip', 'phonenumbers', 'stdnum', 'PIL', 'qrcode', 'barcode') "
        "if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
