"""The server of the drain's both sides, a program of its own: a raw socket and answers that were made beforehand.

It reads a request whole and answers by the last of the entries in it, which a header names; what names none is
a fetch of changes. Nothing is parsed beyond that, so that little but the sender is measured.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

__all__ = ["PORT_LINE"]

PORT_LINE = "answering on port "

HEAD_SEQ = b"loyalty-head-seq: "
LENGTH = b"content-length: "


def _answer_bytes(body: str) -> bytes:
    """Return a whole answer with a JSON body."""
    data = body.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def _serve(connection: socket.socket, answers: dict[int, bytes]) -> None:
    received = b""
    with connection:
        while True:
            while (end := received.find(b"\r\n\r\n")) < 0:
                chunk = connection.recv(1 << 20)
                if not chunk:
                    return
                received += chunk
            head = received[: end + 4].lower()
            parts, missing = [received], end + 4 + _number(head, LENGTH) - len(received)
            while missing > 0:
                chunk = connection.recv(1 << 20)
                parts.append(chunk)
                missing -= len(chunk)
            received = b""
            connection.sendall(answers[_number(head, HEAD_SEQ)])


def _number(head: bytes, name: bytes) -> int:
    _, found, rest = head.partition(name)
    return int(rest[: rest.index(b"\r")]) if found else 0


def main() -> None:
    """Serve until the process is ended; `sys.argv[1]` is a file of answers, each after its seq; 0 is for changes."""
    lines = (line.partition(" ") for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    answers = {int(seq): _answer_bytes(body) for seq, _, body in lines}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"{PORT_LINE}{listener.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_serve, args=(connection, answers), daemon=True).start()


if __name__ == "__main__":
    main()
