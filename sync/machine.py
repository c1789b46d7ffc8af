"""The exchange with central as a sans-IO machine: facts go in, the next request or a pause comes out.

Laws of this file
- It touches no socket, file, clock or randomness: time comes in as milliseconds, chance as `random_below(n)`.
- It holds numbers only; entries stay in the journal. What an answer means for the journal is settled durably by the
  shell before the machine hears of it.
- One request is under way at a time, so answers cannot be taken for one another.
- A failure never empties the queue. After one the machine waits, longer each time, by a random share of the wait
  (full jitter): a whole country's terminals that lost central together come back apart.

| fact                  | what follows                                                                 |
|-----------------------|------------------------------------------------------------------------------|
| appended              | an upload, unless it is backing off                                          |
| uploaded              | the next batch while the queue is not empty; then changes, a little later    |
| uploaded nothing new  | pause as for unreachable: at once, the same batch would get the same answer  |
| changes fetched       | more changes while there are some, taking turns with uploads; a programme    |
| programme fetched     | on with the rest                                                             |
| restarted             | another journal: its own queue                                               |
| failed: unreachable   | pause: full jitter up to `backoff_ms` × 2ⁿ, at most `backoff_ms_max`         |
| failed: throttled     | pause: what `Retry-After` says, plus full jitter of `backoff_ms`             |
| failed: too large     | half the batch, at once                                                      |
| failed: refused       | pause of `refused_ms`: a person has to act, and the exchange sees it when he has |
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
class Wait:
    """Do nothing until this time, or until a fact comes in."""

    until_ms: int


Request = Upload | FetchChanges | FetchProgramme


class Failure(Enum):
    """Why a request failed, as far as the machine cares."""

    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    TOO_LARGE = "too large"
    REFUSED = "refused"
    STALLED = "stalled"


class Machine:
    """Decides what to ask of central next. Not thread-safe: its shell holds a lock."""

    def __init__(
        self, settings: MachineSettings, random_below: Callable[[int], int], *, watermark: int, head_seq: int
    ) -> None:
        self._settings = settings
        self._random_below = random_below
        self._backoff = wait_exponential(multiplier=settings.backoff_ms, max=settings.backoff_ms_max)
        self._watermark = watermark
        self._head_seq = head_seq
        self._entries_max = settings.entries_max
        self._changes_due_ms = 0
        self._programme_wanted: int | None = None
        self._upload_next = False
        self._attempts = 0
        self._unreachable = False
        self._paused_until_ms = 0

    @property
    def online(self) -> bool:
        """Whether central answered the last request, be it with a refusal."""
        return not self._unreachable

    def next(self, now_ms: int) -> Request | Wait:
        """Return the next request, or how long to wait."""
        if now_ms < self._paused_until_ms:
            return Wait(self._paused_until_ms)
        queue = self._head_seq > self._watermark
        changes_due = now_ms >= self._changes_due_ms
        if changes_due and not (queue and self._upload_next):
            return FetchChanges()
        if queue:
            return Upload(self._watermark, self._entries_max)
        if self._programme_wanted is not None:
            return FetchProgramme(self._programme_wanted)
        return Wait(self._changes_due_ms)

    def appended(self, head_seq: int) -> None:
        """The journal's head is at `head_seq`."""
        self._head_seq = max(self._head_seq, head_seq)

    def uploaded(self, watermark: int, now_ms: int) -> None:
        """Central holds the journal whole up to `watermark`, and that is durably noted."""
        if watermark <= self._watermark:
            self.failed(Failure.STALLED, now_ms)
            return
        self._answered()
        self._watermark = watermark
        self._upload_next = False
        self._entries_max = min(self._entries_max * 2, self._settings.entries_max)
        if watermark >= self._head_seq:
            soon = now_ms + self._settings.changes_after_upload_ms
            self._changes_due_ms = min(self._changes_due_ms, soon)

    def changes_fetched(self, now_ms: int, *, more: bool, programme_wanted: int | None) -> None:
        """A page of changes is durably stored; `programme_wanted` is a version that is not here yet."""
        self._answered()
        self._upload_next = True
        self._programme_wanted = programme_wanted
        self._changes_due_ms = now_ms if more else now_ms + self._settings.changes_ms

    def programme_fetched(self) -> None:
        """The wanted programme version is durably stored."""
        self._answered()
        self._programme_wanted = None

    def restarted(self, *, watermark: int, head_seq: int) -> None:
        """A new journal took the place of the one before; its seqs count from 1 again."""
        self._watermark = watermark
        self._head_seq = head_seq

    def failed(self, failure: Failure, now_ms: int, retry_after_ms: int | None = None) -> None:
        """The request under way failed."""
        if failure is Failure.TOO_LARGE and self._entries_max > 1:
            self._entries_max //= 2
            return
        self._attempts = min(self._attempts + 1, ATTEMPTS_COUNTED_MAX)
        self._unreachable = failure is Failure.UNREACHABLE
        self._paused_until_ms = now_ms + self._pause_ms(failure, retry_after_ms)

    def reached(self) -> None:
        """Central answered somebody else on this terminal: try again now, unless central itself asked to wait."""
        if self._unreachable:
            self._answered()

    def _answered(self) -> None:
        self._attempts = 0
        self._unreachable = False
        self._paused_until_ms = 0

    def _pause_ms(self, failure: Failure, retry_after_ms: int | None) -> int:
        if failure in (Failure.REFUSED, Failure.TOO_LARGE):
            return self._settings.refused_ms
        if failure is Failure.THROTTLED and retry_after_ms is not None:
            return retry_after_ms + 1 + self._random_below(self._settings.backoff_ms)
        return 1 + self._random_below(self._backoff_cap_ms())

    def _backoff_cap_ms(self) -> int:
        state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = self._attempts
        return int(self._backoff(state))
