"""The shell of the machine: a thread that sends its requests, stores what the answers mean, and tells it the facts.

What every fault of the line or of central comes to is listed in docs/exchange.md.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import httpx

from loyalty_sdk.codec import CodecError
from loyalty_sdk.errors import LoyaltyError, OutcomeUnknown
from loyalty_sdk.protocol import (
    UPLOAD_BYTES_MAX,
    ChangesPage,
    EntryPage,
    EntryRecord,
    ReportAnswer,
    SignedDocument,
    UploadAnswer,
)
from sync.answers import (
    AnswerDiverged,
    AnswerRefused,
    CloseGrants,
    NoteDiverged,
    NoteRevoked,
    StoreAcknowledgement,
    StoreChanges,
)
from sync.central import Call, CentralFailure, CentralRefused, json_call, parse, receive, upload_call
from sync.host import Host
from sync.identity import Identity, SignatureRefused
from sync.journal import queue_batch, watermark
from sync.machine import Failure, FetchChanges, FetchProgramme, Machine, Report, Request, Upload, Wait
from sync.pruning import Prune
from sync.replica import current_programme, store_programme
from sync.reports import (
    AcknowledgeCommon,
    StoreReport,
    report_page,
    shared_entries,
    signed_report,
    unconfirmed_grants,
)
from sync.statements import PinnedConnection
from sync.store import Store, begin_anew
from sync.watchdog import Watchdog
from sync.writer import Writer

__all__ = ["Exchange"]

T = TypeVar("T")
CHANGES_MAX = 500
UPLOAD_BODY_BYTES = UPLOAD_BYTES_MAX - 1_200_000  # One entry at its limit, with its attachment, still fits beside.
TIDY_MS = 60_000
STOP_TRIES = 40
STOP_POLL_S = 0.05
REQUEST_S_MAX = 120
REPORT_PAGES_MAX = 1_000
ENTRIES_COMPARED = 500
# A journal is begun anew at most this often: no answer may fill the disk with journals.
ANEW_MS = 3_600_000

_log = logging.getLogger(__name__)


class Exchange:
    """Runs the exchange in a thread of its own until stopped."""

    def __init__(
        self,
        *,
        store: Store,
        writer: Writer,
        machine: Machine,
        client: httpx.Client,
        identity: Identity,
        host: Host,
        monotonic_ms: Callable[[], int],
        retention: timedelta = timedelta(days=30),
        request_s_max: float = REQUEST_S_MAX,
    ) -> None:
        """`retention` says how long acknowledged entries stay: longer than central's backup interval.

        `request_s_max` bounds a whole request, its connection and its answer included.
        """
        self._store = store
        self._writer = writer
        self._machine = machine
        self._client = client
        self._identity = identity
        self._host = host
        self._now_ms = monotonic_ms
        self._retention = retention
        self._watchdog = Watchdog(request_s_max)
        self._wakeup = threading.Condition()
        self._stopping = False
        self._tidy_due_ms = 0
        self._anew_due_ms = 0
        self._troubles: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)

    @property
    def online(self) -> bool:
        """Whether central answered the last request."""
        return self._machine.online

    @property
    def watermark(self) -> int:
        """How far central holds the journal, as far as this thread knows."""
        return self._machine.watermark

    @property
    def entries_left(self) -> int:
        """How many entries wait to be sent, as far as this thread knows; no look at the file is taken."""
        return self._machine.head_seq - self._machine.watermark

    @property
    def trouble(self) -> str:
        """Why the last request of a kind failed, for the status; empty when none did."""
        return "; ".join(dict.fromkeys(self._troubles.values()))

    def start(self) -> None:
        """Start the thread, and the one that watches it."""
        self._watchdog.start(self._client)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a request under way is cut off, which loses nothing."""
        with self._wakeup:
            self._stopping = True
            self._wakeup.notify()
        for _ in range(STOP_TRIES):
            self._watchdog.stop()
            self._thread.join(STOP_POLL_S)
            if not self._thread.is_alive():
                break
        # What hangs in the system's resolver or in a connection that is being made ends with the process.
        self._watchdog.stop()
        self._client.close()

    def appended(self, head_seq: int) -> None:
        """The journal grew to `head_seq`. Called from the thread that committed."""
        with self._wakeup:
            self._machine.appended(head_seq)
            self._wakeup.notify()

    def reached(self) -> None:
        """Central answered an online call of this terminal."""
        with self._wakeup:
            if not self._machine.online:
                self._machine.reached()
                self._wakeup.notify()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._step()
            except Exception as error:
                if self._stopping:
                    return  # The client was closed under the request: that is how `stop` cuts it off.
                _log.exception("the exchange failed unexpectedly; it goes on")
                self._troubles[""] = f"the exchange failed ({type(error).__name__}: {error}): see the agent's log"
                with self._wakeup:
                    self._machine.failed(Failure.NOT_STORED, self._now_ms())

    def _step(self) -> None:
        self._tidy_when_due()
        with self._wakeup:
            request = self._machine.next(self._now_ms())
            if isinstance(request, Wait):
                pause_ms = min(request.until_ms, self._tidy_due_ms) - self._now_ms()
                if not self._stopping:
                    self._wakeup.wait(max(pause_ms, 1) / 1000)
                return
        try:
            fact = self._perform(request)
        except (CentralFailure, AnswerRefused, SignatureRefused, CodecError, LoyaltyError) as error:
            self._fail(request, error)
            return
        self._troubles.pop(type(request).__name__, None)
        self._troubles.pop("", None)
        with self._wakeup:
            fact()

    def _perform(self, request: Request) -> Callable[[], None]:
        """Send a request, store its answer durably, and return the fact to tell the machine."""
        match request:
            case Upload():
                return self._upload(request)
            case FetchChanges():
                return self._fetch_changes()
            case FetchProgramme():
                self._fetch_programme(request.version)
                return self._machine.programme_fetched
            case Report():
                return self._report(request)

    def _upload(self, request: Upload) -> Callable[[], None]:
        with self._store.reading() as connection:
            mark = watermark(connection)
            batch = queue_batch(connection, mark.seq, request.entries_max, UPLOAD_BODY_BYTES)
        if mark.seq != request.after_seq or not batch:
            # A damaged journal was replaced by a new one, which counts anew.
            return lambda: self._machine.restarted(watermark=mark.seq, head_seq=mark.head_seq)
        answer = self._send(UploadAnswer, upload_call(self._identity, mark, batch))
        acknowledged = self._writer.call(StoreAcknowledgement(answer=answer))
        return lambda: self._machine.uploaded(acknowledged, self._now_ms())

    def _fetch_changes(self) -> Callable[[], None]:
        with self._store.reading() as connection:
            place = _place(connection)
            cursor = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'cursor'").scalar() or ""
            programme = current_programme(connection)
        page = self._send(ChangesPage, json_call("GET", "/v1/changes", **place, cursor=cursor, limit=CHANGES_MAX))
        self._writer.call(StoreChanges(page=page))
        with self._store.reading() as connection:
            unconfirmed = unconfirmed_grants(connection)
        here = 0 if programme is None else programme.version
        wanted = page.programme_version if (page.programme_version or 0) > here else None
        # A cursor that stands still would give the same page at once, and for ever.
        more = page.more and page.cursor != cursor
        return lambda: self._machine.changes_fetched(
            self._now_ms(), more=more, programme_wanted=wanted, unconfirmed=unconfirmed
        )

    def _fetch_programme(self, version: int) -> None:
        signed = self._send(SignedDocument, json_call("GET", f"/v1/programme/{version}"))
        self._writer.call(lambda transaction: store_programme(transaction, signed))

    def _report(self, request: Report) -> Callable[[], None]:
        """Report page by page; where central holds another life of this journal, begin a new one."""
        after = ""
        for _ in range(REPORT_PAGES_MAX):
            with self._store.reading() as connection:
                page = report_page(connection, self._identity, after)
            path = f"/v1/journals/{page.report.journal}/reports"
            answer = self._send(ReportAnswer, json_call("POST", path, signed_report(self._identity, page.report)))
            try:
                self._writer.call(StoreReport(page=page, answer=answer, diverged=request.diverged))
            except AnswerDiverged as error:
                _log.warning("%s; a new journal is begun", error)
                self._begin_anew()
                break
            if not page.report.more:
                break
            after = page.grant_ids[-1]
        with self._store.reading() as connection:
            mark, unconfirmed = watermark(connection), unconfirmed_grants(connection)
        return lambda: self._reported(mark.seq, mark.head_seq, unconfirmed)

    def _reported(self, watermark_seq: int, head_seq: int, unconfirmed: bool) -> None:
        self._machine.restarted(watermark=watermark_seq, head_seq=head_seq)
        self._machine.reported(self._now_ms(), watermark=watermark_seq, unconfirmed=unconfirmed)

    def _begin_anew(self) -> None:
        """Begin a new journal with what central does not hold of this one. Raises AnswerRefused when it just was."""
        if self._now_ms() < self._anew_due_ms:
            raise AnswerRefused("central holds yet another life of this journal: is this terminal running twice?")
        self._acknowledge_common()
        # The store tells so of every command that was in the same commit.
        with suppress(OutcomeUnknown):
            self._writer.call(begin_anew)
        self._anew_due_ms = self._now_ms() + ANEW_MS

    def _acknowledge_common(self) -> None:
        """Find the last entry that both lives share, so that only what follows it is recorded again."""
        with self._store.reading() as connection:
            mark = watermark(connection)
        common: EntryRecord | None = None
        seq, more = mark.seq, True
        while more and seq < mark.head_seq:
            path = f"/v1/journals/{mark.journal}/entries"
            page = self._send(EntryPage, json_call("GET", path, after=seq, limit=ENTRIES_COMPARED))
            with self._store.reading() as connection:
                shared = shared_entries(connection, page.entries)
            common = shared[-1] if shared else common
            more = page.more and len(shared) == len(page.entries) > 0
            seq += len(shared)
        if common is not None:
            self._writer.call(AcknowledgeCommon(seq=common.seq, hash=common.hash))

    def _send(self, cls: type[T], call: Call) -> T:
        request = call.request(self._client, self._identity.token)
        with self._watchdog.watching():
            answer = receive(self._client, request)
        return parse(cls, answer, self._host.now())

    def _fail(self, request: Request, error: Exception) -> None:
        self._troubles[type(request).__name__] = str(error)
        _log.warning("exchange: %s", error)
        if isinstance(error, CentralRefused) and error.problem == "terminal-revoked":
            with suppress(LoyaltyError):
                self._writer.call(NoteRevoked())
        failure, retry_after_ms = _classify(error)
        if failure is Failure.DIVERGED:
            with suppress(LoyaltyError):
                self._writer.call(NoteDiverged())
        with self._wakeup:
            self._machine.failed(failure, self._now_ms(), retry_after_ms, request)

    def _tidy_when_due(self) -> None:
        """Close grants that ended, and prune what nobody needs any more."""
        if self._now_ms() < self._tidy_due_ms:
            return
        self._tidy_due_ms = self._now_ms() + TIDY_MS
        with suppress(LoyaltyError):
            self._writer.call(CloseGrants())
            prune = Prune(retention=self._retention)
            while self._writer.call(prune) == prune.entries_max and not self._stopping:
                pass
            with self._store.reading() as connection:
                unconfirmed = unconfirmed_grants(connection)
            with self._wakeup:
                self._machine.grants_checked(unconfirmed=unconfirmed)


def _classify(error: Exception) -> tuple[Failure, int | None]:
    """Map a failure to what the machine does about it (docs/protocol.md, Problems)."""
    if isinstance(error, CentralRefused):
        retry_after_ms = None if error.retry_after_s is None else error.retry_after_s * 1000
        if error.problem == "body-too-large":
            return Failure.TOO_LARGE, None
        if error.status == 429 or retry_after_ms is not None:
            return Failure.THROTTLED, retry_after_ms
        if error.problem in ("epoch-changed", "fork"):
            return Failure.DIVERGED, None
        if 400 <= error.status < 500:
            return Failure.REFUSED, None
    if isinstance(error, AnswerDiverged):
        return Failure.DIVERGED, None
    if isinstance(error, AnswerRefused | SignatureRefused | CodecError):
        return Failure.REFUSED, None
    # What is left of the SDK's errors comes from our own journal, not from central.
    return Failure.NOT_STORED if isinstance(error, LoyaltyError) else Failure.UNREACHABLE, None


def _place(connection: PinnedConnection) -> dict[str, str]:
    """Where this journal is, as a fetch of changes says it: so central sees at once when it holds less, or more."""
    facts: dict[str, str] = dict(connection.exec_driver_sql("SELECT name, value FROM meta").all())
    head = connection.exec_driver_sql("SELECT max(seq) FROM entries").scalar_one()
    grant_id = connection.exec_driver_sql(
        "SELECT grant_id FROM grants WHERE state = 'open' ORDER BY grant_id DESC LIMIT 1"
    ).scalar()
    return {
        "journal": facts["journal"],
        "acknowledged": facts["watermark"],
        "hash": facts["watermark_hash"],
        "head": str(head),
        "grant": grant_id or "",
    }
