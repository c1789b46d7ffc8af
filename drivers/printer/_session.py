"""One connection to a printer: its replies go to whoever waits for one, and to the status, whatever else is going on.

Does not decide what is printed. The status is asked for one question at a time, since answers carry no name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drivers.clock import Clock
from drivers.errors import DeviceUnavailable
from drivers.printer.confirm import Confirmation, Reply, ReplySplitter, Splitter, StarReplySplitter
from drivers.printer.settings import PrinterSettings
from drivers.printer.status import PrinterCondition, status_watch
from drivers.printer.transport import Connection

__all__ = ["Session"]

_Judgement = TypeVar("_Judgement")

_RECEIVE_S = 0.1
_DRAINED_REPLIES_MAX = 64
# While the cover is open or the paper is out, a printer that goes on afterwards is waited for, but not for ever.
_PREVENTED_S_MAX = 600.0

_NOT_READY = "the printer is connected and does not answer: check its paper and its cover"
_SILENT = "the printer stopped answering: check that it is switched on, and its cable"


class Session:
    """An open connection. `on_conditions` hears of every change of cover and paper.

    `stop_deadline_s` says until when, on the monotonic clock, anything may still be waited for.
    """

    def __init__(
        self,
        settings: PrinterSettings,
        connection: Connection,
        on_conditions: Callable[[frozenset[PrinterCondition]], None],
        *,
        clock: Clock,
        stop_deadline_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._on_conditions = on_conditions
        self._clock = clock
        self._stop_deadline_s = stop_deadline_s
        is_star = settings.profile.dialect.startswith("star")
        self._splitter: Splitter = StarReplySplitter() if is_star else ReplySplitter()
        self._watch = status_watch(settings.profile)
        self._conditions: frozenset[PrinterCondition] = frozenset()
        self._asked_s = clock.monotonic()
        self._is_answered = True

    def greet(self) -> None:
        """Throw away what the printer said before; where its status is watched, get the first.

        Raises DeviceUnavailable when it says nothing.
        """
        for _ in range(_DRAINED_REPLIES_MAX):
            if not self._connection.receive(0.0):
                break
        if self._watch is None:
            return
        self._connection.send(self._watch.opening)
        self._ask()
        if self.await_reply(lambda _: self._is_answered or None, self._settings.connect_timeout_s) is None:
            raise DeviceUnavailable(_NOT_READY)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def send(self, data: bytes) -> None:
        """Hand bytes over. Raises DeviceLost."""
        self._connection.send(data)

    @property
    def is_prevented(self) -> bool:
        """Whether nothing can be printed now, as far as the printer told."""
        return any(condition.prevents_printing for condition in self._conditions)

    def make_ready(self, confirmation: Confirmation) -> None:
        """Take in what the printer said, and make sure that it is able to print. Raises DeviceUnavailable."""
        for _ in range(_DRAINED_REPLIES_MAX):
            if not self._replies(0.0):
                break
        if not confirmation.probe:
            return
        self.send(confirmation.probe)
        timeout_s = self._settings.connect_timeout_s
        if self.await_reply(lambda reply: confirmation.answers_probe(reply) or None, timeout_s) is None:
            raise DeviceUnavailable(_NOT_READY)

    def await_reply(
        self, judge: Callable[[Reply], _Judgement | None], timeout_s: float, *, poll: bytes = b""
    ) -> _Judgement | None:
        """Return the first judgement that is not None, or None after the timeout or when we are stopped.

        The time does not run while the cover is open or the paper is out, up to ten minutes. `poll` is sent now
        and then.
        """
        begun_s = self._clock.monotonic()
        deadline_s = begun_s + timeout_s
        while (left_s := min(deadline_s, self._stop_deadline_s()) - self._clock.monotonic()) > 0:
            for reply in self._replies(min(left_s, self._settings.status_interval_s if poll else _RECEIVE_S)):
                judgement = judge(reply)
                if judgement is not None:
                    return judgement
            self._ask_meanwhile(poll)
            if self.is_prevented:
                deadline_s = min(self._clock.monotonic() + timeout_s, begun_s + timeout_s + _PREVENTED_S_MAX)
        return None

    def _ask_meanwhile(self, poll: bytes) -> None:
        """A printer may be slow to answer while it prints: that is no silence, and its answer is not counted late."""
        if self._clock.monotonic() - self._asked_s < self._settings.status_interval_s:
            return
        if poll:
            self._asked_s = self._clock.monotonic()
            self.send(poll)
        elif self._watch is not None and self._is_answered:
            self._ask()
        else:
            self._asked_s = self._clock.monotonic()

    def tend(self) -> None:
        """Read what has come, and ask for the status when it is time. Raises DeviceUnavailable after a silence."""
        self._replies(0.0)
        waited_s = self._clock.monotonic() - self._asked_s
        if self._is_answered and waited_s >= self._settings.status_interval_s:
            self._ask()
        elif not self._is_answered and waited_s >= self._settings.status_timeout_s:
            raise DeviceUnavailable(_SILENT)

    def _ask(self) -> None:
        assert self._watch is not None  # Nobody asks a printer whose status is not watched.
        self._is_answered, self._asked_s = False, self._clock.monotonic()
        self.send(self._watch.poll)

    def _replies(self, timeout_s: float) -> list[Reply]:
        """Return the replies that come within the timeout; the status has heard each of them."""
        replies = self._splitter.feed(self._connection.receive(timeout_s))
        if self._watch is not None:
            for reply in replies:
                self._is_answered = self._watch.take(reply) or self._is_answered
            if self._watch.conditions != self._conditions:
                self._conditions = self._watch.conditions
                self._on_conditions(self._conditions)
        return replies
