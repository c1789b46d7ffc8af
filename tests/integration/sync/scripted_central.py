"""A central for tests of the exchange: a real HTTP server that keeps journals honestly, and fails as it is told to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty_sdk.codec import dumps
from loyalty_sdk.envelope import attachment_hash, chain_hash, decode_entry, upload_signing_input
from loyalty_sdk.errors import PROBLEM_PREFIX
from loyalty_sdk.protocol import ChangesPage, EntryOutcome, SignedDocument, UploadAnswer, split_upload
from sync.identity import public_key_of
from tests.support.terminal_memory import TerminalMemory

__all__ = ["Received", "Reply", "ScriptedCentral", "problem"]

WAIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def is_upload(self) -> bool:
        return self.method == "POST" and self.path.endswith("/entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent back; `body_sent` of fewer bytes than `body` is a connection cut in the middle."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    body_sent: int | None = None


Fault = Callable[["ScriptedCentral", Received], Reply | None]


def problem(name: str, status: int, **headers: str) -> Reply:
    """A problem document."""
    body = dumps({"type": PROBLEM_PREFIX + name, "detail": f"scripted {name}", "status": status})
    return Reply(status=status, body=body, headers={"Content-Type": "application/problem+json"} | headers)


class ScriptedCentral:
    """Central on a port of its own. `faults` are used up one for each request of their path; then it is honest."""

    def __init__(self, memory: TerminalMemory) -> None:
        self.memory = memory
        self.epoch = memory.identity.epoch
        self.received: list[Received] = []
        self.faults: dict[str, deque[Fault]] = {}
        self.entries: list[bytes] = []
        self.hash = memory.first_prev_hash()
        self.outcomes: dict[int, str] = {}
        self.programme: SignedDocument | None = None
        self.programme_version: int | None = None
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop the server and let go of every request that it holds."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, path_part: str, *faults: Fault | Reply) -> None:
        """Use these for the next requests whose path contains `path_part`."""
        made = [self._constant(fault) if isinstance(fault, Reply) else fault for fault in faults]
        self.faults.setdefault(path_part, deque()).extend(made)

    def uploads(self) -> list[Received]:
        """The uploads that came in."""
        return [received for received in self.received if received.is_upload]

    # Faults

    def lose_answer(self, _central: ScriptedCentral, received: Received) -> None:
        """Do what is asked and answer nothing: the connection closes."""
        self.honest(received)

    def lose_answer_unread(self, _central: ScriptedCentral, received: Received) -> None:
        """Do nothing of what is asked, and close the connection."""

    def hang(self, _central: ScriptedCentral, received: Received) -> None:
        """Read the request and answer nothing until the server closes."""
        self.released.wait(WAIT_S)

    @staticmethod
    def _constant(reply: Reply) -> Fault:
        return lambda central, received: reply

    # The honest part

    def answer(self, received: Received) -> Reply | None:
        with self._lock:
            self.received.append(received)
            queue = next((queue for part, queue in self.faults.items() if part in received.path and queue), None)
            fault = queue.popleft() if queue else None
        return self.honest(received) if fault is None else fault(self, received)

    def honest(self, received: Received) -> Reply:
        if received.headers["Authorization"] != "Bearer token-1":
            return problem("access-refused", 401)
        if received.is_upload:
            return self._store(received)
        if received.path.startswith("/v1/changes?"):
            return Reply(body=dumps(self._changes()))
        if received.path.startswith("/v1/programme/") and self.programme is not None:
            return Reply(body=dumps(self.programme))
        return problem("not-found", 404)

    def _changes(self) -> ChangesPage:
        return self.memory_changes(programme_version=self.programme_version)

    def memory_changes(self, **parts: Any) -> ChangesPage:
        return self.memory.changes(**{"epoch": self.epoch} | parts)

    def _store(self, received: Received) -> Reply:
        with self._lock:
            if received.headers["Loyalty-Epoch"] != self.epoch:
                return problem("epoch-changed", 409)
            if not self._is_signed(received):
                return problem("access-refused", 401)
            first = int(received.headers["Loyalty-First-Seq"])
            for seq, line in enumerate(split_upload(received.body), start=first):
                entry = decode_entry(line.entry)
                assert entry.seq == seq
                assert line.sealed is None or attachment_hash(line.sealed) == entry.attachment_hash
                if seq == len(self.entries) + 1:
                    self.entries.append(line.entry)
                    self.hash = chain_hash(self.hash, line.entry)
            return Reply(body=dumps(self._acknowledgement()))

    def _acknowledgement(self) -> UploadAnswer:
        outcomes = tuple(
            EntryOutcome(seq=seq, id=decode_entry(data).id, outcome="applied")
            for seq, data in enumerate(self.entries, start=1)
        )
        return UploadAnswer(
            epoch=self.epoch,
            watermark=len(self.entries),
            watermark_hash=self.hash.hex(),
            outcomes=outcomes,
            central_time=self.memory.clock.now,
        )

    def _is_signed(self, received: Received) -> bool:
        message = upload_signing_input(
            terminal=self.memory.identity.terminal,
            journal=received.path.split("/")[3],
            epoch=received.headers["Loyalty-Epoch"],
            first_seq=int(received.headers["Loyalty-First-Seq"]),
            head_seq=int(received.headers["Loyalty-Head-Seq"]),
            head_hash=bytes.fromhex(received.headers["Loyalty-Head-Hash"]),
            body=received.body,
        )
        key = Ed25519PublicKey.from_public_bytes(public_key_of(self.memory.identity.private_key))
        try:
            key.verify(bytes.fromhex(received.headers["Loyalty-Signature"]), message)
        except InvalidSignature:
            return False
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        central = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                received = Received(method=self.command, path=self.path, headers=self.headers, body=body)
                reply = central.answer(received)
                if reply is None:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: reply.body_sent])
                self.close_connection = reply.body_sent is not None

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        return Handler
