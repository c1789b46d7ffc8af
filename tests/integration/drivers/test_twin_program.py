"""The printer twin as a program: another program prints on it, and the receipt is shown and kept."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.printer.__main__ import main
from drivers.printer.settings import PrinterSettings
from drivers.printer.transport import open_connection

ROOT = Path(__file__).parents[3]


@contextmanager
def twin(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "drivers.printer", "--json", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    assert isinstance(facts, dict)
    return facts


def test_receipts_are_shown_and_kept_as_pictures(tmp_path: Path) -> None:
    with twin("--port", "0", "--pictures", str(tmp_path / "receipts")) as process:
        host, port = str(said(process)["printer"]).split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"\x1b@\x1bt\x13Ol\xa0\n\x1dV\x00two\n\x1dV\x00")
            facts = [said(process), said(process)]
    assert [(fact["receipt"], fact["text"]) for fact in facts] == [(1, "Olá\n"), (2, "two\n")]
    assert [Path(str(fact["picture"])).read_bytes()[:4] for fact in facts] == [b"\x89PNG"] * 2


def test_a_star_on_a_serial_line() -> None:
    with twin("--serial", "--star") as process:
        path = str(said(process)["printer"])
        connection = open_connection(PrinterSettings(name="p", transport="serial", address=path))
        connection.send(b"\x1b@A\n\x1bd\x02")
        assert said(process)["text"] == "A\n"
        connection.close()


def test_a_port_that_is_taken_names_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert "choose another --port" in capsys.readouterr().err
