"""Commands to one scanner on their way from any thread to the thread that owns its port. Does no I/O."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future

from drivers.errors import CommandRefused, DriverError
from drivers.scanner.protocol import ScannerCommand, ScannerProtocol

__all__ = ["Orders"]

_WAITING_MAX = 8


class Orders:
    """A bounded queue of commands; every one that is taken ends, done or with its reason."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[ScannerCommand, Future[None]]] = deque()
        self._under_way: Future[None] | None = None

    def put(self, command: ScannerCommand) -> Future[None]:
        """Queue a command from any thread; the future ends with None, or with a DriverError."""
        future: Future[None] = Future()
        if len(self._waiting) >= _WAITING_MAX:
            future.set_exception(CommandRefused(f"{_WAITING_MAX} commands wait for the scanner: try again shortly"))
        else:
            self._waiting.append((command, future))
        return future

    def give_next(self, protocol: ScannerProtocol, at_s: float) -> None:
        """Begin the next command where none is under way; on the thread of the port."""
        if not self._waiting or (self._under_way is not None and not self._under_way.done()):
            return
        command, future = self._waiting.popleft()
        self._under_way = future
        if future.set_running_or_notify_cancel():
            protocol.send(command, at_s, lambda reason: _end(future, reason))

    def fail_all(self, reason: DriverError) -> None:
        """End everything that is under way or waits: the device is gone."""
        if self._under_way is not None:
            _end(self._under_way, reason)
        while self._waiting:
            future = self._waiting.popleft()[1]
            if future.set_running_or_notify_cancel():
                _end(future, reason)


def _end(future: Future[None], reason: DriverError | None) -> None:
    if future.done():  # The device went, and its last words came after that.
        return
    if reason is None:
        future.set_result(None)
    else:
        future.set_exception(reason)
