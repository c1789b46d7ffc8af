"""The shell of the machine: a thread that sends its requests, stores what the answers mean, and tells it the facts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import httpx

from loyalty_sdk.codec import CodecError
from loyalty_sdk.errors import LoyaltyError
from loyalty_sdk.protocol import UPLOAD_BYTES_MAX, ChangesPage, SignedDocument, UploadAnswer
from sync.answers import AnswerRefused, CloseGrants, StoreAcknowledgement, StoreChanges
from sync.central import Call, CentralFailure, CentralRefused, json_call, parse, receive, upload_call
from sync.host import Host
from sync.identity import Identity, SignatureRefused
from sync.journal import queue_batch, watermark
from sync.machine import Failure, FetchChanges, FetchProgramme, Machine, Request, Upload, Wait
from sync.pruning import Prune
from sync.replica import current_programme, store_programme
from sync.store import Store
from sync.writer import Writer

__all__ = ["Exchange"]

T = TypeVar("T")
CHANGES_MAX = 500
UPLOAD_BODY_BYTES = UPLOAD_BYTES_MAX - 1_200_000  # One entry at its limit, with its attachment, still fits beside.
TIDY_MS = 60_000
STOP_S = 2

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
        retention: timedelta = timedelta(days=30),
    ) -> None:
        """`retention` says how long acknowledged entries stay: longer than central's backup interval."""
        self._store = store
        self._writer = writer
        self._machine = machine
        self._client = client
        self._identity = identity
        self._host = host
        self._retention = retention
        self._wakeup = threading.Condition()
        self._stopping = False
        self._tidy_due_ms = 0
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)

    @property
    def online(self) -> bool:
        """Whether central answered the last request."""
        return self._machine.online

    @property
    def trouble(self) -> str:
        """Why the last request failed, for the status; empty when it did not."""
        return self._trouble

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a request under way is cut off, which loses nothing."""
        with self._wakeup:
            self._stopping = True
            self._wakeup.notify()
        self._client.close()
        # A request that central leaves hanging is not woken by the close; it ends with the process.
        self._thread.join(STOP_S)

    def appended(self, head_seq: int) -> None:
        """The journal grew to `head_seq`. Called from the writer's thread."""
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
                self._trouble = f"the exchange failed ({type(error).__name__}: {error}): see the agent's log"
                with self._wakeup:
                    self._machine.failed(Failure.UNREACHABLE, _now_ms())

    def _step(self) -> None:
        self._tidy_when_due()
        with self._wakeup:
            request = self._machine.next(_now_ms())
            if isinstance(request, Wait):
                pause_ms = min(request.until_ms, self._tidy_due_ms) - _now_ms()
                if not self._stopping:
                    self._wakeup.wait(max(pause_ms, 1) / 1000)
                return
        try:
            fact = self._perform(request)
        except (CentralFailure, AnswerRefused, SignatureRefused, CodecError, LoyaltyError) as error:
            self._fail(error)
            return
        self._trouble = ""
        with self._wakeup:
            fact()

    def _perform(self, request: Request) -> Callable[[], None]:
        """Send a request, store its answer durably, and return the fact to tell the machine."""
        match request:
            case Upload():
                return self._upload(request)
            case FetchChanges():
                more, wanted = self._fetch_changes()
                return lambda: self._machine.changes_fetched(_now_ms(), more=more, programme_wanted=wanted)
            case FetchProgramme():
                self._fetch_programme(request.version)
                return self._machine.programme_fetched

    def _upload(self, request: Upload) -> Callable[[], None]:
        with self._store.reading() as connection:
            mark = watermark(connection)
            batch = queue_batch(connection, mark.seq, request.entries_max, UPLOAD_BODY_BYTES)
        if mark.seq != request.after_seq or not batch:
            # A damaged journal was replaced by a new one, which counts anew.
            return lambda: self._machine.restarted(watermark=mark.seq, head_seq=mark.head_seq)
        answer = self._send(UploadAnswer, upload_call(self._identity, mark, batch))
        acknowledged = self._writer.call(StoreAcknowledgement(answer=answer))
        return lambda: self._machine.uploaded(acknowledged, _now_ms())

    def _fetch_changes(self) -> tuple[bool, int | None]:
        """Store a page of changes; return whether there are more, and the programme version that is missing here."""
        with self._store.reading() as connection:
            journal = watermark(connection).journal
            cursor = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'cursor'").scalar() or ""
            programme = current_programme(connection)
        call = json_call("GET", "/v1/changes", journal=journal, cursor=cursor, limit=CHANGES_MAX)
        page = self._send(ChangesPage, call)
        self._writer.call(StoreChanges(page=page))
        here = 0 if programme is None else programme.version
        # A cursor that stands still would give the same page at once, and for ever.
        more = page.more and page.cursor != cursor
        return more, page.programme_version if (page.programme_version or 0) > here else None

    def _fetch_programme(self, version: int) -> None:
        signed = self._send(SignedDocument, json_call("GET", f"/v1/programme/{version}"))
        self._writer.call(lambda transaction: store_programme(transaction, signed))

    def _send(self, cls: type[T], call: Call) -> T:
        return parse(cls, receive(self._client, call.request(self._client, self._identity.token)), self._host.now())

    def _fail(self, error: Exception) -> None:
        self._trouble = str(error)
        _log.warning("exchange: %s", error)
        failure, retry_after_ms = _classify(error)
        with self._wakeup:
            self._machine.failed(failure, _now_ms(), retry_after_ms)

    def _tidy_when_due(self) -> None:
        """Close grants that ended, and prune what nobody needs any more."""
        if _now_ms() < self._tidy_due_ms:
            return
        self._tidy_due_ms = _now_ms() + TIDY_MS
        with suppress(LoyaltyError):
            self._writer.call(CloseGrants())
            prune = Prune(retention=self._retention)
            while self._writer.call(prune) == prune.entries_max and not self._stopping:
                pass


def _classify(error: Exception) -> tuple[Failure, int | None]:
    """Map a failure to what the machine does about it (docs/protocol.md, Problems)."""
    if isinstance(error, CentralRefused):
        retry_after_ms = None if error.retry_after_s is None else error.retry_after_s * 1000
        if error.problem == "body-too-large":
            return Failure.TOO_LARGE, None
        if error.status == 429 or retry_after_ms is not None:
            return Failure.THROTTLED, retry_after_ms
        if 400 <= error.status < 500:
            return Failure.REFUSED, None
    if isinstance(error, AnswerRefused | SignatureRefused | CodecError):
        return Failure.REFUSED, None
    return Failure.UNREACHABLE, None


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
