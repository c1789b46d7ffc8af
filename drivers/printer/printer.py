"""One printer: a thread that takes jobs from the spool in order, sends each once, and says what became of it.

Laws:
1. Nothing leaves before the spool has the job as sent; whatever fails before that leaves it queued.
2. Whatever fails after that makes the outcome unknown. There is no second attempt.
3. A printer that is off costs nothing but time: jobs wait, attempts have bounded pauses, the state is told once.
4. Nothing is sent to a printer that says its cover is open or its paper out: the job waits, and stays certain.

A printer whose status is watched is held for as long as it is there; any other is let go after each job, for the
other programs that print on it. Does not render: jobs are bytes. The listener is called on this thread and must not
block.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drivers.backoff import Backoff
from drivers.clock import Clock
from drivers.errors import DeviceError, DeviceLost, DeviceUnavailable, SpoolError
from drivers.printer._session import Session
from drivers.printer.confirm import CONFIRMATIONS, Confirmation, Verdict
from drivers.printer.events import (
    OnPrinterEvent,
    PrinterConditionEvent,
    PrinterEvent,
    PrinterStatusEvent,
    PrintJobEvent,
)
from drivers.printer.settings import PrinterSettings
from drivers.printer.spool import Job, JobState, Spool, WaitingJob
from drivers.printer.status import PrinterCondition, after, changes, holding
from drivers.printer.transport import Connection, open_connection
from drivers.state import DeviceState

__all__ = ["Printer"]

_log = logging.getLogger(__name__)

_TICK_S = 0.1
_STOP_GRACE_S = 1.0
_STOP_TIMEOUT_S = 60.0

_NO_ANSWER = (
    "the printer took the job and did not say that it printed: look at the paper, and print a copy if it is missing"
)
_LOST = "the printer was lost while it printed this job: look at the paper, and print a copy if it is missing"
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
        self._conditions: frozenset[PrinterCondition] = frozenset()
        self._told: frozenset[PrinterCondition] = frozenset()

    @property
    def status(self) -> PrinterStatusEvent | None:
        """What the printer is now, with the latest reason; None before the first attempt to reach it."""
        return self._status

    @property
    def conditions(self) -> frozenset[PrinterCondition]:
        """The troubles with cover and paper that the printer tells of now; empty where it tells nothing."""
        return holding(self._conditions)

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
        job = self._next_job()
        if self._settings.profile.status != "none":
            self._serve()
        elif job is None and self._status is not None and self._status.state is DeviceState.ONLINE:
            self._wake.wait()
        else:
            self._connect_and_print(job)

    def _next_job(self) -> WaitingJob | None:
        """Return the oldest job that somebody still waits for; those before it have failed."""
        while (job := self._spool.next_queued()) is not None and self._is_too_old(job):
            self._fail_old(job)
        return job

    def _fail_old(self, job: WaitingJob) -> None:
        reason = "the printer was off for too long: print a copy if somebody still waits for it"
        try:
            self._settle(job, JobState.FAILED, reason)
        except SpoolError:
            if not self._was_cancelled(job):
                raise

    def _is_too_old(self, job: WaitingJob) -> bool:
        return (self._clock.now() - job.queued_at).total_seconds() > self._settings.queue_age_s_max

    def _connect_and_print(self, job: WaitingJob | None) -> None:
        """Print one job, or see whether the printer is there when there is none, and let the printer go again."""
        with self._session() as session:
            if job is None:
                session.make_ready(self._confirmation(0))
                self._is_online()
            else:
                self._print(session, job)

    def _serve(self) -> None:
        """Hold the connection: hear of every change at once, and print what is queued while nothing prevents it."""
        with self._session() as session:
            self._is_online()
            may_have_jobs = True
            while not self._stopping.is_set():
                session.tend()
                may_have_jobs = self._wake.is_set() or may_have_jobs
                self._wake.clear()
                job = self._next_job() if may_have_jobs else None
                may_have_jobs = job is not None
                if job is None or session.is_prevented:
                    self._wake.wait(_TICK_S)
                else:
                    self._print(session, job)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        connection = self._connect(self._settings)
        session = Session(
            self._settings,
            connection,
            self._set_conditions,
            clock=self._clock,
            stop_deadline_s=lambda: self._stop_deadline_s,
        )
        try:
            session.greet()
            yield session
        finally:
            self._conditions = frozenset()
            session.close()

    def _confirmation(self, job_number: int) -> Confirmation:
        return CONFIRMATIONS[self._settings.profile.confirm](job_number)

    def _print(self, session: Session, job: WaitingJob) -> None:
        confirmation = self._confirmation(job.number)
        session.make_ready(confirmation)
        if not self._mark_sent(job):
            return
        try:
            session.send(job.data + confirmation.request)
            verdict = self._await_verdict(session, confirmation)
        except Exception as error:
            reason = f"{_LOST}; {error}" if isinstance(error, DeviceLost) else _NO_ANSWER
            self._settle(job, JobState.UNKNOWN, reason)
            raise
        self._settle(job, JobState(verdict.value), _NO_ANSWER if verdict is Verdict.UNKNOWN else "")
        if verdict is Verdict.UNKNOWN:
            raise DeviceUnavailable(_NOT_READY)
        self._is_online()

    def _mark_sent(self, job: WaitingJob) -> bool:
        """Note that the job leaves; False when it was cancelled while the printer was being made ready."""
        try:
            self._spool.mark_sent(job.number)
        except SpoolError:
            if not self._was_cancelled(job):
                raise
            return False
        return True

    def _was_cancelled(self, job: WaitingJob) -> bool:
        """Whether somebody ended the job in the very moment in which we took it."""
        found = self._spool.job(job.reference)
        return found is not None and found.state is JobState.FAILED

    def _await_verdict(self, session: Session, confirmation: Confirmation) -> Verdict:
        if not confirmation.awaits_reply:
            return Verdict.SENT
        timeout_s = self._settings.confirm_timeout_s
        return session.await_reply(confirmation.verdict, timeout_s, poll=confirmation.poll) or Verdict.UNKNOWN

    def _is_online(self) -> None:
        self._backoff.reset()
        self._set_status(DeviceState.ONLINE, self._trouble())

    def _set_conditions(self, conditions: frozenset[PrinterCondition]) -> None:
        self._conditions = conditions
        # What tells of its cover is there.
        self._set_status(DeviceState.ONLINE, self._trouble())
        told, self._told = self._told, after(self._told, conditions)
        for condition in changes(told, conditions):
            self._report(
                PrinterConditionEvent(printer=self._settings.name, condition=condition, reason=condition.remedy)
            )

    def _trouble(self) -> str:
        return "; ".join(condition.remedy for condition in sorted(self.conditions))

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
