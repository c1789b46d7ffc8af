"""A scanner without a scanner that speaks SSI: sends packets, waits for ACK and NAK, sends again, takes commands.

It can be told to damage what it sends and to lose what it hears. It builds and reads packets by itself and shares
nothing with `ssi`, so that neither can hide a mistake of the other. POSIX only.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from pathlib import Path

from drivers.scanner.twin import ScannerTwin

__all__ = ["SsiScannerTwin"]

_ACK, _NAK, _DECODE_DATA = 0xD0, 0xD1, 0xF3
_COMMAND_NAMES = {0xE4: "trigger", 0xE5: "release", 0xE6: "beep", 0xE9: "enable", 0xEA: "disable"}
_ATTEMPTS_MAX = 3
_SCAN_BYTES_MAX = 250


class SsiScannerTwin(ScannerTwin):
    """A scanner that speaks SSI on a pseudo-terminal.

    answer_s: how long it waits for an ACK before it sends again, three times in all.
    damaged: so many of the next packets get a wrong checksum.
    deaf: so many of the next answers of the till are lost.
    refused: names of commands that it answers with NAK.
    commands: the names of what it was told, in order.
    """

    def __init__(self, link: Path | None = None, *, answer_s: float = 0.5) -> None:
        self.answer_s = answer_s
        self.damaged = 0
        self.deaf = 0
        self.refused: set[str] = set()
        self.commands: list[str] = []
        self.packets_sent = 0
        self._answers: queue.Queue[int] = queue.Queue()
        self._listening: threading.Thread | None = None
        self._leave = threading.Event()
        super().__init__(link)

    def plug_in(self) -> None:
        """Hang the scanner on a new pseudo-terminal and listen to the till; does nothing while it is plugged in."""
        super().plug_in()
        if self._listening is None and self._scanner_end is not None:
            self._leave.clear()
            self._listening = threading.Thread(target=self._listen, args=(self._scanner_end,), daemon=True)
            self._listening.start()

    def unplug(self) -> None:
        """Pull the plug."""
        self._leave.set()
        if self._listening is not None:
            self._listening.join()
            self._listening = None
        super().unplug()

    def scan_code(self, data: bytes, kind: int = 0x03, *, again: bool = False) -> bool:
        """Send one code of the SSI type `kind`, in several packets where it is long; say whether it was taken.

        `again` flags the first sending as one that was sent before.
        """
        pieces = [data[at : at + _SCAN_BYTES_MAX] for at in range(0, len(data), _SCAN_BYTES_MAX)]
        for number, piece in enumerate(pieces, start=1):
            continues = 0x02 if number < len(pieces) else 0x00
            if not self._send_until_taken(bytes([kind]) + piece, continues, again):
                return False
        return True

    def _send_until_taken(self, data: bytes, status: int, again: bool) -> bool:
        while not self._answers.empty():
            self._answers.get_nowait()
        for attempt in range(_ATTEMPTS_MAX):
            self._send_packet(_DECODE_DATA, status | (attempt > 0 or again), data)
            try:
                answer = self._answers.get(timeout=self.answer_s)
            except queue.Empty:
                continue
            if answer == _ACK:
                return True
            if answer != 1:  # Refused for good, and not for its checksum.
                return False
        return False

    def _send_packet(self, opcode: int, status: int, data: bytes) -> None:
        body = bytes([4 + len(data), opcode, 0, status]) + data
        checksum = (0x10000 - sum(body)) & 0xFFFF
        if self.damaged:
            self.damaged -= 1
            checksum ^= 0x0101
        self.packets_sent += 1
        self.send(body + bytes([checksum >> 8, checksum & 0xFF]))

    def _listen(self, descriptor: int) -> None:
        pending = b""
        while not self._leave.is_set():
            if not select.select([descriptor], [], [], 0.02)[0]:
                continue
            try:
                pending += os.read(descriptor, 4096)
            except OSError:  # Nobody has the port open.
                self._leave.wait(0.02)
                continue
            while pending and len(pending) >= pending[0] + 2:
                length = pending[0]
                body, pending = pending[:length], pending[length + 2 :]
                self._hear(body[1], body[4:])

    def _hear(self, opcode: int, data: bytes) -> None:
        if self.deaf:
            self.deaf -= 1
        elif opcode == _ACK:
            self._answers.put(_ACK)
        elif opcode == _NAK:
            self._answers.put(data[0])
        else:
            name = _COMMAND_NAMES.get(opcode, hex(opcode))
            self.commands.append(name)
            if name in self.refused:
                self._send_packet(_NAK, 0, b"\x06")
            else:
                self._send_packet(_ACK, 0, b"")
