"""Enrolment: what it writes, for whom, and that a failure leaves nothing."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from loyalty_sdk.codec import dumps
from loyalty_sdk.protocol import EnrolmentAnswer, PublicKey
from sync import identity as identities
from terminal_agent.bootstrap import system_host
from terminal_agent.cli import main
from terminal_agent.data_directory import DataDirectory
from terminal_agent.enrolment import EnrolmentFailed, enrol
from terminal_agent.settings import read_settings
from tests.unit.terminal_agent.rig import NOW, PROGRAMME, SEALING_KEY, SIGNING_KEY, signed

ANSWER = EnrolmentAnswer(
    tenant="t",
    terminal="till-1",
    token="central-token",
    epoch="e",
    signing_keys=(PublicKey(key_id="signing-1", public_key=SIGNING_KEY.public_key().public_bytes_raw()),),
    sealing_key=PublicKey(key_id="sealing-1", public_key=SEALING_KEY.public_key().public_bytes_raw()),
    central_time=NOW,
)
PROBLEM = b'{"type": "urn:loyalty:problem:code-invalid", "status": 403, "detail": "the code is wrong, used or expired"}'

Serve = Callable[[int, str, bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A central that answers an enrolment with this, and knows its programme."""
    servers: list[HTTPServer] = []

    def serve(status: int, media_type: str, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(status, media_type, body)

            def do_GET(self) -> None:
                self._answer(200, "application/json", dumps(signed("programme", json.dumps(PROGRAMME))))

            def _answer(self, status: int, media_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def run(directory: Path, url: str) -> None:
    enrol(DataDirectory(directory), url=url, code="CODE", agent_version="test", host=system_host())


def test_what_is_secret_is_for_its_owner_alone(tmp_path: Path, serve: Serve) -> None:
    directory = DataDirectory(tmp_path / "agent")
    url = serve(200, "application/json", dumps(ANSWER))
    run(directory.path, url)
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    for file in (directory.identity, directory.token):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert identities.read(directory.identity).terminal == "till-1"
    assert len(directory.token.read_text()) >= 40
    assert read_settings(directory.settings).central.url == url
    assert directory.journal.exists()
    with pytest.raises(EnrolmentFailed, match="already enrolled"):
        run(directory.path, url)


@pytest.mark.parametrize(
    ("status", "media_type", "body", "says"),
    [
        (403, "application/problem+json", PROBLEM, "the code is wrong, used or expired"),
        (200, "text/html", b"<p>portal</p>", "captive portal"),
        (200, "application/json", b'{"tenant": "t"}', "terminal is missing"),
        (500, "text/plain", b"oops", "HTTP 500"),
    ],
)
def test_a_failed_enrolment_leaves_nothing(
    tmp_path: Path, serve: Serve, status: int, media_type: str, body: bytes, says: str
) -> None:
    url = serve(status, media_type, body)
    with pytest.raises(EnrolmentFailed, match=says):
        run(tmp_path / "new", url)
    assert not (tmp_path / "new").exists()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "agent.toml").write_text("# mine")
    with pytest.raises(EnrolmentFailed):
        run(tmp_path / "there", url)
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["agent.toml"]


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:9", 'http://127.0.0.1:9/"', "http://127.0.0.1:99999"])
def test_a_wrong_address_is_one_line(tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--central", url, "--code", "C", "--directory", str(tmp_path / "a")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("loyalty-agent: ")
    assert not (tmp_path / "a").exists()


def test_a_directory_that_cannot_be_written_is_found_before_the_code_is_used(
    tmp_path: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    url = serve(200, "application/json", dumps(ANSWER))
    assert main(["init", "--central", url, "--code", "C", "--directory", str(tmp_path / "file" / "a")]) == 2
    assert "choose another --directory" in capsys.readouterr().err
