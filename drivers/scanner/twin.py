"""A scanner without a scanner: a real serial line made of a pseudo-terminal, for tests, demo and POS vendors.

Sends whatever it is told. Knows nothing of framing or symbologies, so that it can be wrong in every way a
scanner can. POSIX only.
"""

from __future__ import annotations

import os
import random
import select
import time
import tty
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["ScannerTwin"]

_WRITE_TIMEOUT_S = 20.0


class ScannerTwin:
    """A scanner that hangs on the port `path` until `unplug`.

    With `link` the port also has a stable name, as devices have in /dev/serial/by-id: `path` is then the
    link, which goes with `unplug` and comes back with `plug_in`.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._scanner_end: int | None = None
        self._port_end: int | None = None
        self._path = ""
        self.plug_in()

    @property
    def path(self) -> str:
        """The port's path, for `ScannerSettings.port`."""
        return str(self._link) if self._link else self._path

    def plug_in(self) -> None:
        """Hang the scanner on a new pseudo-terminal; does nothing while it is plugged in."""
        if self._scanner_end is not None:
            return
        # Our own hold on the port's end keeps the line alive while the reader closes and reopens it.
        self._scanner_end, self._port_end = os.openpty()
        tty.setraw(self._port_end)
        os.set_blocking(self._scanner_end, False)
        self._path = os.ttyname(self._port_end)
        if self._link:
            self._link.symlink_to(self._path)

    def scan(self, data: bytes | str, suffix: bytes = b"\r", splits: Iterable[int] = (), pause_s: float = 0.0) -> None:
        """Send one code; `splits` cuts it at these offsets, with a pause of `pause_s` seconds at each cut."""
        encoded = (data.encode() if isinstance(data, str) else data) + suffix
        offsets = [0, *sorted(splits), len(encoded)]
        for number, (start, end) in enumerate(pairwise(offsets)):
            if number and pause_s:
                time.sleep(pause_s)
            self.send(encoded[start:end])

    def send(self, data: bytes) -> None:
        """Put bytes on the line as they are.

        Raises TimeoutError when nobody reads them, OSError when unplugged.
        """
        if self._scanner_end is None:
            raise OSError("the scanner twin is unplugged: call plug_in() first")
        deadline = time.monotonic() + _WRITE_TIMEOUT_S
        while data:
            ready = select.select([], [self._scanner_end], [], max(0.0, deadline - time.monotonic()))[1]
            if not ready:
                raise TimeoutError(f"nobody reads {self.path}: start the reader before scanning")
            data = data[os.write(self._scanner_end, data) :]

    def send_noise(self, byte_count: int, source: random.Random) -> None:
        """Put random bytes on the line, as a wrong baud rate or a bad cable does."""
        self.send(source.randbytes(byte_count))

    def unplug(self) -> None:
        """Pull the plug: readers of the port see the device vanish. Does nothing when it is out."""
        if self._scanner_end is None or self._port_end is None:
            return
        if self._link:
            self._link.unlink(missing_ok=True)
        os.close(self._scanner_end)
        os.close(self._port_end)
        self._scanner_end = self._port_end = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()
