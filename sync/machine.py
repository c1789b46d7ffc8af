"""The exchange with central as a sans-IO machine: facts go in, the next request or a pause comes out.

Laws of this file
- It touches no socket, file, clock or randomness: time comes in as milliseconds, chance as `random_below(n)`.
- It holds numbers only; entries stay in the journal. What an answer means for the journal is settled durably by the
  shell before the machine hears of it.
- One request is under way at a time, so answers cannot be taken for one another.
- A failure never empties the queue. After one the machine waits, longer each time, by a random share of the wait
  (full jitter): a whole country's terminals that lost central together come back apart.
- An answer that took long says that central is busy. The next request then waits some times as long, so that most
  terminals of a country pause and few stand in central's queue, where they would give up before their turn came.

| fact                  | what follows                                                                 |
|-----------------------|------------------------------------------------------------------------------|
| appended              | an upload, unless it is backing off                                          |
| uploaded              | the next batch while the queue is not empty; then changes, a little later    |
| any answer, late      | pause: full jitter up to `pacing` × what it took beyond `answer_ms_brisk`    |
| uploaded nothing new  | pause as for unreachable: at once, the same batch would get the same answer  |
| changes fetched       | more while there are some, in turn with uploads; a programme; a report for grants |
| programme fetched     | on with the rest                                                             |
| restarted             | another journal: its own queue                                               |
| grants checked        | a report where some need it, once all is sent                                |
| reported              | on from where central is; grants that need it are confirmed once all is sent |
| failed: unreachable   | pause: full jitter up to `backoff_ms` × 2ⁿ, at most `backoff_ms_max`         |
| failed: throttled     | pause: what `Retry-After` says, plus full jitter of as long, or of the pause for unreachable |
| failed: too large     | half the batch, at once                                                      |
| failed: refused       | this kind of request pauses for `refused_ms`, until a person has acted       |
| failed: diverged      | a report, at once; again within `changes_ms`: as if refused                  |
| failed: not stored    | pause as for unreachable, but central is there: it is our journal that fails |
| reached               | somebody else reached central: a pause for unreachable ends, no other        |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tenacity import RetryCallState, Retrying, wait_exponential

from loyalty_sdk.protocol import UPLOAD_ENTRIES_MAX

__all__ = [
    "Failure",
    "FetchChanges",
    "FetchProgramme",
    "Machine",
    "MachineSettings",
    "Report",
    "Request",
    "Upload",
    "Wait",
]

ATTEMPTS_COUNTED_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """Intervals in milliseconds and the size of a batch in entries."""

    entries_max: int = 200
    changes_ms: int = 30_000
    changes_after_upload_ms: int = 2_000
    backoff_ms: int = 500
    backoff_ms_max: int = 60_000
    refused_ms: int = 300_000
    answer_ms_brisk: int = 1_000
    pacing: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.entries_max <= UPLOAD_ENTRIES_MAX:
            raise ValueError(f"entries_max must be from 1 to {UPLOAD_ENTRIES_MAX}")
        if min(self.changes_ms, self.changes_after_upload_ms, self.backoff_ms, self.refused_ms) < 1:
            raise ValueError("intervals must be 1 millisecond or more")
        if self.backoff_ms_max < self.backoff_ms:
            raise ValueError("backoff_ms_max must not be below backoff_ms")


@dataclass(frozen=True, slots=True)
class Upload:
    """Send the entries after `after_seq`, at most `entries_max`."""

    after_seq: int
    entries_max: int


@dataclass(frozen=True, slots=True)
class FetchChanges:
    """Fetch a page of changes for the replica."""


@dataclass(frozen=True, slots=True)
class FetchProgramme:
    """Fetch a version of the programme."""

    version: int


@dataclass(frozen=True, slots=True)
class Report:
    """Tell central what is known of the journal here, and hear what central holds of it.

    `diverged` says that the two do not fit together; without it, grants wait for central to confirm them.
    """

    diverged: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until this time, or until a fact comes in."""

    until_ms: int


Request = Upload | FetchChanges | FetchProgramme | Report


class Failure(Enum):
    """Why a request failed, as far as the machine cares."""

    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    TOO_LARGE = "too large"
    REFUSED = "refused"
    STALLED = "stalled"
    DIVERGED = "diverged"
    NOT_STORED = "not stored"


class Machine:
    """Decides what to ask of central next. Not thread-safe: its shell holds a lock."""

    def __init__(
        self,
        settings: MachineSettings,
        random_below: Callable[[int], int],
        *,
        watermark: int,
        head_seq: int,
        unconfirmed: bool = False,
    ) -> None:
        """`unconfirmed` says that grants wait for central to confirm them."""
        self._settings = settings
        self._random_below = random_below
        self._backoff = wait_exponential(multiplier=settings.backoff_ms, max=settings.backoff_ms_max)
        self._watermark = watermark
        self._head_seq = head_seq
        self._entries_max = settings.entries_max
        self._changes_due_ms = 0
        self._due_ms: dict[type[Request], int] = {}
        self._report_wanted = False
        self._unconfirmed = unconfirmed
        self._programme_wanted: int | None = None
        self._upload_next = False
        self._attempts = 0
        self._unreachable = False
        self._paused_until_ms = 0
        self._asked_ms = 0

    @property
    def online(self) -> bool:
        """Whether central answered the last request, be it with a refusal."""
        return not self._unreachable

    @property
    def watermark(self) -> int:
        """How far central holds the journal."""
        return self._watermark

    @property
    def head_seq(self) -> int:
        """The seq of the journal's last entry."""
        return self._head_seq

    def next(self, now_ms: int) -> Request | Wait:
        """Return the next request, or how long to wait."""
        if now_ms < self._paused_until_ms:
            return Wait(self._paused_until_ms)
        self._asked_ms = now_ms
        request = self._wanted(now_ms)
        return request or Wait(self._next_due_ms(now_ms))

    def appended(self, head_seq: int) -> None:
        """The journal's head is at `head_seq`."""
        self._head_seq = max(self._head_seq, head_seq)

    def uploaded(self, watermark: int, now_ms: int) -> None:
        """Central holds the journal whole up to `watermark`, and that is durably noted."""
        if watermark <= self._watermark:
            self.failed(Failure.STALLED, now_ms)
            return
        self._answered()
        self._pace(now_ms)
        self._watermark = watermark
        self._upload_next = False
        self._entries_max = min(self._entries_max * 2, self._settings.entries_max)
        if watermark >= self._head_seq:
            soon = now_ms + self._settings.changes_after_upload_ms
            self._changes_due_ms = min(self._changes_due_ms, soon)

    def changes_fetched(self, now_ms: int, *, more: bool, programme_wanted: int | None, unconfirmed: bool) -> None:
        """A page of changes is durably stored; `programme_wanted` is a version that is not here yet.

        `unconfirmed` says that grants wait for central to confirm them.
        """
        self._answered()
        self._unconfirmed = unconfirmed
        self._pace(now_ms)
        self._upload_next = True
        self._programme_wanted = programme_wanted
        self._changes_due_ms = now_ms if more else now_ms + self._settings.changes_ms

    def programme_fetched(self) -> None:
        """The wanted programme version is durably stored."""
        self._answered()
        self._upload_next = True
        self._programme_wanted = None

    def restarted(self, *, watermark: int, head_seq: int) -> None:
        """A new journal took the place of the one before; its seqs count from 1 again."""
        self._watermark = watermark
        self._head_seq = head_seq
        self._report_wanted = False

    def grants_checked(self, *, unconfirmed: bool) -> None:
        """The grants here were looked through, for central tells a revoked terminal no changes."""
        self._unconfirmed = unconfirmed

    def reported(self, now_ms: int, *, watermark: int, unconfirmed: bool) -> None:
        """Central holds the journal up to `watermark`, and that is durably noted; it may be less than before."""
        self._answered()
        self._report_wanted = False
        self._unconfirmed = unconfirmed
        self._watermark = watermark
        self._changes_due_ms = now_ms
        self._upload_next = False
        # Whatever central says next, it cannot make this a loop.
        self._due_ms = {Report: now_ms + self._settings.changes_ms}

    def failed(
        self,
        failure: Failure,
        now_ms: int,
        retry_after_ms: int | None = None,
        request: Request | None = None,
    ) -> None:
        """The request under way failed. What central refuses pauses only requests of its kind, or all without one."""
        if failure is Failure.TOO_LARGE and self._entries_max > 1:
            self._entries_max //= 2
            return
        if failure is Failure.DIVERGED and request is not None and self._is_due(Report, now_ms):
            self._report_wanted = True
            return
        if failure in (Failure.REFUSED, Failure.TOO_LARGE, Failure.DIVERGED) and request is not None:
            self._refused(type(request), now_ms)
            return
        self._upload_next = False  # An upload that fails again and again must not starve the changes.
        self._attempts = min(self._attempts + 1, ATTEMPTS_COUNTED_MAX)
        self._unreachable = failure is Failure.UNREACHABLE
        self._paused_until_ms = now_ms + self._pause_ms(failure, retry_after_ms)

    def reached(self) -> None:
        """Central answered somebody else on this terminal: try again now, unless central itself asked to wait."""
        if self._unreachable:
            self._answered()

    def _wanted(self, now_ms: int) -> Request | None:
        """What there is to ask now: a report before all else, then uploads and the rest in turn."""
        if self._report_wanted:
            return Report(diverged=True)
        queue = self._head_seq > self._watermark
        upload = queue and self._is_due(Upload, now_ms)
        if upload and self._upload_next:
            return Upload(self._watermark, self._entries_max)
        if self._programme_wanted is not None and self._is_due(FetchProgramme, now_ms):
            return FetchProgramme(self._programme_wanted)
        if now_ms >= self._changes_due_ms:
            return FetchChanges()
        if upload:
            return Upload(self._watermark, self._entries_max)
        if self._unconfirmed and not queue and self._is_due(Report, now_ms):
            return Report(diverged=False)
        return None

    def _next_due_ms(self, now_ms: int) -> int:
        wanted: list[type[Request]] = []
        if self._head_seq > self._watermark:
            wanted.append(Upload)
        elif self._unconfirmed:
            wanted.append(Report)
        if self._programme_wanted is not None:
            wanted.append(FetchProgramme)
        return min([self._changes_due_ms, *(self._due_ms.get(kind, now_ms) for kind in wanted)])

    def _is_due(self, kind: type[Request], now_ms: int) -> bool:
        return now_ms >= self._due_ms.get(kind, now_ms)

    def _refused(self, kind: type[Request], now_ms: int) -> None:
        """Central answered, with a refusal: requests of other kinds go on."""
        self._answered()
        until_ms = now_ms + self._settings.refused_ms
        if kind is FetchChanges:
            self._changes_due_ms = until_ms
        else:
            self._due_ms[kind] = until_ms
        if kind is Report:
            self._report_wanted = False

    def _answered(self) -> None:
        self._attempts = 0
        self._unreachable = False
        self._paused_until_ms = 0

    def _pace(self, now_ms: int) -> None:
        """Leave a central that answers late to others for a while."""
        late_ms = now_ms - self._asked_ms - self._settings.answer_ms_brisk
        pause_ms = min(late_ms * self._settings.pacing, self._settings.backoff_ms_max)
        if pause_ms > 0:
            self._paused_until_ms = now_ms + 1 + self._random_below(pause_ms)

    def _pause_ms(self, failure: Failure, retry_after_ms: int | None) -> int:
        if failure in (Failure.REFUSED, Failure.TOO_LARGE, Failure.DIVERGED):
            return self._settings.refused_ms
        if failure is Failure.THROTTLED and retry_after_ms is not None:
            # All who were refused in one moment were told the same time.
            return retry_after_ms + 1 + self._random_below(max(retry_after_ms, self._backoff_cap_ms()))
        return 1 + self._random_below(self._backoff_cap_ms())

    def _backoff_cap_ms(self) -> int:
        state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = self._attempts
        return int(self._backoff(state))
