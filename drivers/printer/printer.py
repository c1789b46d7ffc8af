"""One printer: a thread that takes jobs from the spool in order, sends each once, and says what became of it.

Laws:
1. Nothing leaves before the spool has the job as sent; whatever fails before that leaves it queued.
2. Whatever fails after that makes the outcome unknown. There is no second attempt.
3. A printer that is off costs nothing but time: jobs wait, attempts have bounded pauses, the state is told once.

Does not render: jobs are bytes. The listener is called on this thread and must not block.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import TypeVar

from drivers.backoff import Backoff
from drivers.clock import Clock
from drivers.errors import DeviceError, DeviceLost, DeviceUnavailable, SpoolError
from drivers.printer.confirm import CONFIRMATIONS, Confirmation, Reply, ReplySplitter, Verdict
from drivers.printer.events import OnPrinterEvent, PrinterEvent, PrinterStatusEvent, PrintJobEvent
from drivers.printer.settings import PrinterSettings
from drivers.printer.spool import Job, JobState, Spool, WaitingJob
from drivers.printer.transport import Connection, open_connection
from drivers.state import DeviceState

__all__ = ["Printer"]

_Judgement = TypeVar("_Judgement")

_log = logging.getLogger(__name__)

_POLL_S = 0.2
_DRAINED_REPLIES_MAX = 64
_STOP_GRACE_S = 1.0
_STOP_TIMEOUT_S = 60.0

_NO_ANSWER = (
    "the printer took the job and did not say that it printed: look at the paper, and print a copy if it is missing"
)
_NOT_READY = "the printer is connected and does not answer: check its paper and its cover"


class Printer:
    """Prints the jobs of one spool from `start` to `stop`. `on_event` gets status and job events on its thread.

    `random` returns numbers in [0, 1) for the pauses between attempts. The spool stays its owner's to close.
    """

    def __init__(
        self,
        settings: PrinterSettings,
        spool: Spool,
        on_event: OnPrinterEvent,
        *,
        clock: Clock,
        random: Callable[[], float],
        connect: Callable[[PrinterSettings], Connection] = open_connection,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._on_event = on_event
        self._clock = clock
        self._connect = connect
        self._backoff = Backoff(first_s=settings.reconnect_first_s, limit_s=settings.reconnect_limit_s, random=random)
        self._stopping = threading.Event()
        self._stop_deadline_s = math.inf
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"printer-{settings.name}", daemon=True)
        self._status: PrinterStatusEvent | None = None

    @property
    def status(self) -> PrinterStatusEvent | None:
        """What the printer is now, with the latest reason; None before the first attempt to reach it."""
        return self._status

    def start(self) -> None:
        """Begin to print; returns at once. A printer starts once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a job that is not confirmed within a moment becomes unknown."""
        self._stop_deadline_s = self._clock.monotonic() + _STOP_GRACE_S
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT_S)

    def submit(self, reference: str, data: bytes) -> Job:
        """Queue a job durably and return at once. Raises SpoolFull and the other errors of `Spool.submit`."""
        job = self._spool.submit(reference, data)
        self._wake.set()
        return job

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except (DeviceError, SpoolError) as error:
                self._pause(str(error))
            except Exception:
                _log.exception("printer %s: unexpected failure", self._settings.name)
                self._pause("the printer's driver failed: its log says how")

    def _pause(self, reason: str) -> None:
        self._set_status(DeviceState.OFFLINE, reason)
        self._stopping.wait(self._backoff.next_s())

    def _step(self) -> None:
        self._wake.clear()
        job = self._spool.next_queued()
        if job is None and self._status is not None and self._status.state is DeviceState.ONLINE:
            self._wake.wait()
        elif job is not None and self._is_too_old(job):
            reason = "the printer was off for too long: print a copy if somebody still waits for it"
            self._settle(job, JobState.FAILED, reason)
        else:
            self._connect_and_print(job)

    def _is_too_old(self, job: WaitingJob) -> bool:
        return (self._clock.now() - job.queued_at).total_seconds() > self._settings.queue_age_s_max

    def _connect_and_print(self, job: WaitingJob | None) -> None:
        """Print one job, or see whether the printer is there when there is none."""
        confirmation = CONFIRMATIONS[self._settings.profile.confirm](job.number if job else 0)
        connection = self._connect(self._settings)
        try:
            self._make_ready(connection, confirmation)
            if job is not None:
                self._print(connection, confirmation, job)
            self._backoff.reset()
            self._set_status(DeviceState.ONLINE)
        finally:
            connection.close()

    def _print(self, connection: Connection, confirmation: Confirmation, job: WaitingJob) -> None:
        self._spool.mark_sent(job.number)
        try:
            connection.send(job.data + confirmation.request)
            verdict = self._await_verdict(connection, confirmation)
        except Exception as error:
            reason = str(error) if isinstance(error, DeviceLost) else _NO_ANSWER
            self._settle(job, JobState.UNKNOWN, reason)
            raise
        self._settle(job, JobState(verdict.value), _NO_ANSWER if verdict is Verdict.UNKNOWN else "")
        if verdict is Verdict.UNKNOWN:
            raise DeviceUnavailable(_NOT_READY)

    def _make_ready(self, connection: Connection, confirmation: Confirmation) -> None:
        """Throw away what the printer said before, and make sure that it is able to print."""
        for _ in range(_DRAINED_REPLIES_MAX):
            if not connection.receive(0.0):
                break
        if not confirmation.probe:
            return
        connection.send(confirmation.probe)
        answer = self._await(
            connection, lambda reply: confirmation.answers_probe(reply) or None, self._settings.connect_timeout_s
        )
        if answer is None:
            raise DeviceUnavailable(_NOT_READY)

    def _await_verdict(self, connection: Connection, confirmation: Confirmation) -> Verdict:
        if not confirmation.awaits_reply:
            return Verdict.SENT
        verdict = self._await(connection, confirmation.verdict, self._settings.confirm_timeout_s)
        return verdict or Verdict.UNKNOWN

    def _await(
        self, connection: Connection, judge: Callable[[Reply], _Judgement | None], timeout_s: float
    ) -> _Judgement | None:
        """Return the first judgement that is not None, or None after the timeout or when we are stopped."""
        splitter = ReplySplitter()
        deadline_s = self._clock.monotonic() + timeout_s
        while (left_s := min(deadline_s, self._stop_deadline_s) - self._clock.monotonic()) > 0:
            for reply in splitter.feed(connection.receive(min(left_s, _POLL_S))):
                judgement = judge(reply)
                if judgement is not None:
                    return judgement
        return None

    def _settle(self, job: WaitingJob, state: JobState, reason: str) -> None:
        self._spool.settle(job.number, state, reason)
        self._report(PrintJobEvent(printer=self._settings.name, reference=job.reference, state=state, reason=reason))

    def _set_status(self, state: DeviceState, reason: str = "") -> None:
        changed = self._status is None or self._status.state is not state
        self._status = PrinterStatusEvent(printer=self._settings.name, state=state, reason=reason)
        if changed:
            self._report(self._status)

    def _report(self, event: PrinterEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            _log.exception("printer %s: its listener failed; the event is lost", self._settings.name)
