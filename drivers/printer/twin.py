"""A printer without a printer: on a TCP socket of 127.0.0.1 or a pseudo-terminal, for tests, the demo and POS vendors.

Answers like a printer that can, shows its paper as text and PNG, and can be paused, opened, emptied, switched off or
made to answer wrongly. Knows nothing of the spool and nothing of how the bytes were made.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from drivers.printer._mechanism import Mechanism, TwinDialect, TwinFault
from drivers.printer.document import Element
from drivers.printer.layout import LaidLine

__all__ = ["PrinterTwin", "SerialPrinterTwin", "TwinDialect", "TwinFault", "TwinReceipt"]

_READ_BYTES = 65536
_JOIN_TIMEOUT_S = 5.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinReceipt:
    """A receipt that was cut off: its text, and what draws it as a PNG."""

    text: str
    png: Callable[[], bytes]


class _Twin(ABC):
    """What can be done to a twin and seen of it, whatever wire it hangs on.

    answering: when False it takes every byte and prints, and says nothing.
    printing: when False it takes every byte, prints nothing and says nothing, as a printer that hangs; what it took
    is printed when it is True again and more bytes come.
    reading: when False it leaves every byte on the wire.
    delay_s: how long it takes over each portion of bytes.
    fault: what it does wrong with its answer to a printed receipt.
    """

    def __init__(
        self,
        *,
        columns: int = 42,
        dots: int = 576,
        receipts_max: int = 10_000,
        dialect: TwinDialect = "escpos",
    ) -> None:
        self.reading = True
        self.delay_s = 0.0
        self._columns = columns
        self._dots = dots
        self._mechanism = Mechanism(dialect=dialect, columns=columns, receipts_max=receipts_max, push=self._push)

    @property
    def answering(self) -> bool:
        return self._mechanism.answering

    @answering.setter
    def answering(self, answering: bool) -> None:
        self._mechanism.answering = answering

    @property
    def printing(self) -> bool:
        return self._mechanism.printing

    @printing.setter
    def printing(self, printing: bool) -> None:
        self._mechanism.printing = printing

    @property
    def fault(self) -> TwinFault:
        return self._mechanism.fault

    @fault.setter
    def fault(self, fault: TwinFault) -> None:
        self._mechanism.fault = fault

    def receipts(self) -> list[str]:
        """Return the receipts that were cut off, oldest first, as text; the oldest go when there are too many."""
        with self._mechanism.lock:
            return list(self._mechanism.paper.receipts)

    def uncut(self) -> list[str]:
        """Return the lines that are printed and not cut off yet."""
        with self._mechanism.lock:
            return self._mechanism.paper.uncut()

    def receipt(self, number: int) -> TwinReceipt:
        """Return a receipt that was cut off; the first has the number 1.

        Raises IndexError when there is none yet, or when it is older than the latest thousand.
        """
        with self._mechanism.lock:
            paper = self._mechanism.paper
            place = number - 1 - paper.receipts_cut
            if number < 1 or place >= 0:
                raise IndexError(f"receipt {number} is not cut off yet: {paper.receipts_cut} are")
            text, parts = paper.receipts[place], paper.pictures[place]
        return TwinReceipt(text=text, png=partial(self._drawn, parts))

    def png(self, index: int = -1) -> bytes:
        """Return a receipt that was cut off as a PNG: the last one, or by its place among the latest thousand.

        Raises IndexError when there is none.
        """
        with self._mechanism.lock:
            parts = self._mechanism.paper.pictures[index]
        return self._drawn(parts)

    def uncut_png(self) -> bytes:
        """Return what is printed and not cut off yet as a PNG."""
        with self._mechanism.lock:
            parts = self._mechanism.paper.uncut_parts()
        return self._drawn(parts)

    @property
    def receipts_cut(self) -> int:
        """How many receipts were cut off since the twin was made."""
        with self._mechanism.lock:
            return self._mechanism.paper.receipts_cut

    @property
    def drawer_pulses(self) -> int:
        """How many times the drawer was opened."""
        with self._mechanism.lock:
            return self._mechanism.paper.drawer_pulses

    @property
    def strange(self) -> list[bytes]:
        """The latest commands that no printer of this kind knows."""
        with self._mechanism.lock:
            return list(self._mechanism.paper.strange)

    def set_cover_open(self, cover_open: bool) -> None:
        """Open or close the cover; while it is open nothing is printed, and questions of status are answered."""
        self._mechanism.set_sensors(cover_open=cover_open)

    def set_paper_out(self, paper_out: bool) -> None:
        """Take the paper out or put it in; without paper nothing is printed, and questions of status are answered."""
        self._mechanism.set_sensors(paper_out=paper_out)

    def set_paper_near_end(self, paper_near_end: bool) -> None:
        """Let the roll be nearly at its end, or a new one."""
        self._mechanism.set_sensors(paper_near_end=paper_near_end)

    @abstractmethod
    def power_on(self) -> None:
        """Switch on again; does nothing while it is on."""

    @abstractmethod
    def power_off(self) -> None:
        """Switch off; what is printed stays, what was not printed yet is lost."""

    @abstractmethod
    def close(self) -> None:
        """Switch off for good."""

    @abstractmethod
    def _push(self, data: bytes) -> None:
        """Send what the printer tells by itself."""

    def _drawn(self, parts: tuple[LaidLine | Element, ...]) -> bytes:
        # Pillow loads with the first picture: most twins never show one.
        from drivers.printer.picture import draw_png

        return draw_png(parts, columns=self._columns, dots=self._dots)

    def _wait_to_read(self, is_on: Callable[[], bool]) -> None:
        """Return when the printer takes bytes, or is switched off."""
        while not self.reading and is_on():
            time.sleep(_POLL_S / 10)

    def _take(self, data: bytes) -> bytes:
        if self.delay_s:
            time.sleep(self.delay_s)
        return self._mechanism.take(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PrinterTwin(_Twin):
    """A printer in the network, at `address` from construction to `close`; `port` 0 takes a free one."""

    def __init__(
        self,
        *,
        columns: int = 42,
        dots: int = 576,
        receipts_max: int = 10_000,
        dialect: TwinDialect = "escpos",
        port: int = 0,
    ) -> None:
        super().__init__(columns=columns, dots=dots, receipts_max=receipts_max, dialect=dialect)
        self._port = port
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._servers: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        self.power_on()

    @property
    def address(self) -> str:
        """Host and port for `PrinterSettings.address`; the same after it was switched off and on."""
        return f"127.0.0.1:{self._port}"

    def power_on(self) -> None:
        """Listen, at the port that it had before; does nothing while it is on."""
        if self._listener is not None:
            return
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port))
            listener.listen()
        except OSError:
            listener.close()
            raise
        listener.settimeout(_POLL_S)
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._acceptor = _start(partial(self._accept, listener))

    def power_off(self) -> None:
        """Drop every connection and listen no more; what is printed stays."""
        listener, self._listener = self._listener, None
        if listener is None or self._acceptor is None:
            return
        self._acceptor.join(_JOIN_TIMEOUT_S)
        listener.close()
        self._mechanism.lose_power()
        for connection in self._open_connections():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for server in self._servers:
            server.join(_JOIN_TIMEOUT_S)
        self._servers.clear()

    def close(self) -> None:
        """Switch off for good."""
        self.power_off()

    def _push(self, data: bytes) -> None:
        for connection in self._open_connections():
            with contextlib.suppress(OSError):
                connection.sendall(data)

    def _open_connections(self) -> list[socket.socket]:
        with self._connections_lock:
            return list(self._connections)

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self._connections_lock:
                self._connections.add(connection)
            self._servers = [server for server in self._servers if server.is_alive()]
            self._servers.append(_start(partial(self._serve, connection)))

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while self._take_portion(connection):
                pass
        with self._connections_lock:
            self._connections.discard(connection)
            is_last = not self._connections
        if is_last:
            self._mechanism.lose_wire()

    def _take_portion(self, connection: socket.socket) -> bool:
        self._wait_to_read(lambda: self._listener is not None)
        data = connection.recv(_READ_BYTES)
        answer = self._take(data) if data else b""
        if answer:
            connection.sendall(answer)
        return bool(data)


class SerialPrinterTwin(_Twin):
    """A printer on a serial line, a pseudo-terminal at `path` from construction to `close`. Not on Windows."""

    def __init__(
        self,
        *,
        columns: int = 42,
        dots: int = 576,
        receipts_max: int = 10_000,
        dialect: TwinDialect = "escpos",
    ) -> None:
        import tty

        super().__init__(columns=columns, dots=dots, receipts_max=receipts_max, dialect=dialect)
        # The other end stays open here too: else every close by the program would hang the line up.
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._server: threading.Thread | None = None
        self.power_on()

    def power_on(self) -> None:
        """Listen to the line again, from now on; does nothing while it is on."""
        import termios

        if self._server is None:
            termios.tcflush(self._theirs, termios.TCIOFLUSH)
            termios.tcflush(self._ours, termios.TCIOFLUSH)
            self._is_on = True
            self._server = _start(self._serve)

    def power_off(self) -> None:
        """Listen no more; the line stays, as an adapter on USB does."""
        server, self._server = self._server, None
        if server is not None:
            self._is_on = False
            server.join(_JOIN_TIMEOUT_S)
            self._mechanism.lose_power()

    def close(self) -> None:
        """Switch off for good."""
        self.power_off()
        for descriptor in (self._ours, self._theirs):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _push(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._ours, data)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while self._is_on:
                self._wait_to_read(lambda: self._is_on)
                if select.select([self._ours], [], [], _POLL_S)[0]:
                    self._push(self._take(os.read(self._ours, _READ_BYTES)))


def _start(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="printer-twin", daemon=True)
    thread.start()
    return thread
