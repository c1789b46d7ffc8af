"""The machine of the exchange: every row of its table, and its laws over any order of facts."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.machine import Failure, FetchChanges, FetchProgramme, Machine, MachineSettings, Report, Request, Upload, Wait

SETTINGS = MachineSettings(entries_max=200, backoff_ms=500, backoff_ms_max=60_000)
Facts = Callable[[Machine], None]


def machine_at(
    *,
    watermark: int = 0,
    head_seq: int = 0,
    changes_done: bool = True,
    random_below: Callable[[int], int] | None = None,
) -> Machine:
    """A machine at time 0 that has just fetched changes, unless told otherwise; jitter at its largest."""
    machine = Machine(SETTINGS, random_below or (lambda limit: limit - 1), watermark=watermark, head_seq=head_seq)
    if changes_done:
        machine.changes_fetched(0, more=False, programme_wanted=None, unconfirmed=False)
    return machine


def fails(failure: Failure, times: int = 1, retry_after_ms: int | None = None) -> Facts:
    def tell(machine: Machine) -> None:
        for _ in range(times):
            machine.failed(failure, 0, retry_after_ms)

    return tell


def both(*facts: Facts) -> Facts:
    def tell(machine: Machine) -> None:
        for fact in facts:
            fact(machine)

    return tell


def changes(*, more: bool = False, programme: int | None = None) -> Facts:
    return lambda machine: machine.changes_fetched(0, more=more, programme_wanted=programme, unconfirmed=False)


def refuses(request: Request) -> Facts:
    return lambda machine: machine.failed(Failure.REFUSED, 0, None, request)


def diverges(machine: Machine) -> None:
    machine.failed(Failure.DIVERGED, 0, None, Upload(10, 200))


def reports(watermark: int, *, unconfirmed: bool = False) -> Facts:
    return lambda machine: machine.reported(0, watermark=watermark, unconfirmed=unconfirmed)


# One line for each row of the table in sync/machine.py: the fact, and what is asked at time 0.
TABLE: list[tuple[str, Facts, Request | Wait]] = [
    ("appended", lambda machine: machine.appended(11), Upload(10, 200)),
    ("appended, an older head", lambda machine: machine.appended(9), Wait(30_000)),
    ("appended, backing off", both(fails(Failure.UNREACHABLE), lambda m: m.appended(11)), Wait(500)),
    ("uploaded, more in the queue", both(lambda m: m.appended(15), lambda m: m.uploaded(12, 0)), Upload(12, 200)),
    ("uploaded, the queue empty", both(lambda m: m.appended(11), lambda m: m.uploaded(11, 0)), Wait(2_000)),
    ("uploaded nothing new", both(lambda m: m.appended(11), lambda m: m.uploaded(10, 0)), Wait(500)),
    ("changes, no more", changes(), Wait(30_000)),
    ("changes, more", changes(more=True), FetchChanges()),
    ("changes, more, and a queue", both(lambda m: m.appended(11), changes(more=True)), Upload(10, 200)),
    (
        "changes, more, after an upload",
        both(lambda m: m.appended(15), changes(more=True), lambda m: m.uploaded(12, 0)),
        FetchChanges(),
    ),
    ("a programme is wanted", changes(programme=7), FetchProgramme(7)),
    ("a programme and a queue", both(changes(programme=7), lambda m: m.appended(11)), Upload(10, 200)),
    ("programme fetched", both(changes(programme=7), Machine.programme_fetched), Wait(30_000)),
    ("unreachable", fails(Failure.UNREACHABLE), Wait(500)),
    ("unreachable, twice", fails(Failure.UNREACHABLE, 2), Wait(1_000)),
    ("unreachable, long", fails(Failure.UNREACHABLE, 50), Wait(60_000)),
    ("throttled", fails(Failure.THROTTLED, 1, 7_000), Wait(14_000)),
    ("throttled without a time", fails(Failure.THROTTLED, 2), Wait(1_000)),
    ("too large", both(lambda m: m.appended(11), fails(Failure.TOO_LARGE)), Upload(10, 100)),
    ("too large, often", both(lambda m: m.appended(11), fails(Failure.TOO_LARGE, 7)), Upload(10, 1)),
    ("too large, a single entry", both(lambda m: m.appended(11), fails(Failure.TOO_LARGE, 8)), Wait(300_000)),
    ("refused", fails(Failure.REFUSED), Wait(300_000)),
    ("refused changes, and a queue", both(lambda m: m.appended(11), refuses(FetchChanges())), Upload(10, 200)),
    ("refused uploads", both(lambda m: m.appended(11), refuses(Upload(10, 200))), Wait(30_000)),
    (
        "a refused programme and a queue",
        both(changes(programme=7), refuses(FetchProgramme(7)), lambda m: m.appended(11)),
        Upload(10, 200),
    ),
    ("a refused programme alone", both(changes(programme=7), refuses(FetchProgramme(7))), Wait(30_000)),
    ("diverged", both(lambda m: m.appended(11), diverges), Report(diverged=True)),
    ("reported", both(lambda m: m.appended(11), diverges, reports(4)), FetchChanges()),
    ("reported, the rest", both(lambda m: m.appended(11), diverges, reports(4), changes()), Upload(4, 200)),
    ("diverged again", both(lambda m: m.appended(11), diverges, reports(4), changes(), diverges), Wait(30_000)),
    ("a report is refused", both(diverges, refuses(Report(diverged=True))), Wait(30_000)),
    ("grants to confirm, all sent", both(reports(10, unconfirmed=True), changes()), Wait(30_000)),
    ("not stored", fails(Failure.NOT_STORED), Wait(500)),
    ("reached after unreachable", both(fails(Failure.UNREACHABLE, 9), Machine.reached), Wait(30_000)),
    ("reached after throttled", both(fails(Failure.THROTTLED, 1, 7_000), Machine.reached), Wait(14_000)),
    ("reached after refused", both(fails(Failure.REFUSED), Machine.reached), Wait(300_000)),
]


@pytest.mark.parametrize(("facts", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_table(facts: Facts, wanted: Request | Wait) -> None:
    machine = machine_at(watermark=10, head_seq=10)
    facts(machine)
    assert machine.next(0) == wanted


def test_the_first_thing_asked_for_is_changes() -> None:
    assert machine_at(changes_done=False).next(0) == FetchChanges()


def test_a_pause_ends_by_its_time() -> None:
    machine = machine_at(head_seq=5)
    machine.failed(Failure.UNREACHABLE, 1_000)
    assert machine.next(1_499) == Wait(1_500)
    assert machine.next(1_500) == Upload(0, 200)


def test_grants_are_confirmed_once_everything_was_sent() -> None:
    machine = machine_at(watermark=10, head_seq=10)
    both(reports(9, unconfirmed=True), changes())(machine)
    assert machine.next(0) == Upload(9, 200)
    machine.uploaded(10, 0)
    machine.changes_fetched(2_000, more=False, programme_wanted=None, unconfirmed=True)
    assert machine.next(30_000) == Report(diverged=False)


def test_grants_that_came_by_the_feed_are_confirmed_too() -> None:
    machine = machine_at(watermark=10, head_seq=10)
    machine.changes_fetched(0, more=False, programme_wanted=None, unconfirmed=True)
    assert machine.next(0) == Report(diverged=False)


def test_grants_are_confirmed_though_central_tells_no_changes() -> None:
    """A revoked till hears none, and yet its grants can go back only once central has confirmed them."""
    machine = machine_at(watermark=10, head_seq=10)
    machine.failed(Failure.REFUSED, 0, None, FetchChanges())
    machine.grants_checked(unconfirmed=True)
    assert machine.next(0) == Report(diverged=False)
    machine.grants_checked(unconfirmed=False)
    assert machine.next(0) == Wait(300_000)


def test_refused_changes_are_asked_again_after_their_pause() -> None:
    machine = machine_at(watermark=10, head_seq=10)
    machine.failed(Failure.REFUSED, 0, None, FetchChanges())
    assert machine.next(0) == Wait(300_000)
    assert machine.next(300_000) == FetchChanges()


def test_a_late_answer_is_followed_by_a_pause_and_a_brisk_one_is_not() -> None:
    machine = machine_at(head_seq=5)
    assert machine.next(0) == Upload(0, 200)
    machine.uploaded(1, SETTINGS.answer_ms_brisk)
    assert machine.next(1_000) == Upload(1, 200)
    machine.uploaded(2, 1_000 + SETTINGS.answer_ms_brisk + 500)
    assert machine.next(2_500) == Wait(2_500 + 500 * SETTINGS.pacing)
    machine.reached()
    assert machine.next(2_500) == Wait(2_500 + 500 * SETTINGS.pacing), "somebody's answer says nothing of the queue"


def test_a_late_page_of_changes_counts_too_and_the_pause_has_a_limit() -> None:
    machine = machine_at(head_seq=5, changes_done=False)
    assert machine.next(0) == FetchChanges()
    machine.changes_fetched(10_000_000, more=True, programme_wanted=None, unconfirmed=False)
    assert machine.next(10_000_000) == Wait(10_000_000 + SETTINGS.backoff_ms_max)


def test_who_was_told_the_same_time_comes_back_over_as_long_again() -> None:
    chance = random.Random(1)
    waits = []
    for _ in range(1_000):
        machine = machine_at(random_below=chance.randrange)
        machine.failed(Failure.THROTTLED, 0, 10_000)
        waits.append(machine.next(0))
    times = sorted(wait.until_ms for wait in waits if isinstance(wait, Wait))
    assert times[0] > 10_000
    assert times[-1] <= 20_000
    busiest = max(sum(start <= time < start + 1_000 for time in times) for start in range(10_000, 20_000, 1_000))
    assert busiest < 200, "a tenth of them in each second"


def test_uploads_that_change_nothing_do_not_starve_the_changes() -> None:
    machine = machine_at(head_seq=5, random_below=lambda limit: 0)
    machine.uploaded(0, 0)
    assert machine.next(40_000) == FetchChanges()


def test_online_means_that_central_answers() -> None:
    machine = machine_at()
    assert machine.online
    for failure in (Failure.THROTTLED, Failure.TOO_LARGE, Failure.REFUSED):
        machine.failed(failure, 0)
        assert machine.online
    machine.failed(Failure.UNREACHABLE, 0)
    assert not machine.online
    machine.reached()
    assert machine.online


def test_a_batch_that_was_halved_grows_again() -> None:
    machine = machine_at(head_seq=1_000)
    fails(Failure.TOO_LARGE, 3)(machine)
    sizes = []
    for watermark in (25, 50, 100, 200):
        request = machine.next(0)
        assert isinstance(request, Upload)
        sizes.append(request.entries_max)
        machine.uploaded(watermark, 0)
    assert sizes == [25, 50, 100, 200]
    assert machine.next(0) == Upload(200, 200)


@pytest.mark.parametrize(
    "wrong",
    [{"entries_max": 0}, {"entries_max": 501}, {"changes_ms": 0}, {"refused_ms": -1}, {"backoff_ms_max": 1}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        MachineSettings(**wrong)


@given(times=st.integers(1, 100), chance=st.floats(0, 1, exclude_max=True))
def test_back_off_stays_within_its_bounds(times: int, chance: float) -> None:
    machine = machine_at(random_below=lambda limit: int(chance * limit))
    fails(Failure.UNREACHABLE, times)(machine)
    wait = machine.next(0)
    assert isinstance(wait, Wait)
    assert 1 <= wait.until_ms <= min(500 * 2 ** (times - 1), 60_000)


FACTS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 300)),
    st.tuples(st.just("fail"), st.sampled_from(list(Failure))),
    st.tuples(st.just("throttle"), st.integers(0, 3_600_000)),
    st.tuples(st.just("answer"), st.integers(0, 300)),
    st.tuples(st.just("reached"), st.just(0)),
    st.tuples(st.just("pass"), st.integers(1, 100_000)),
)


class Central:
    """Plays the shell and central: performs what the machine asks, with the outcome that hypothesis draws."""

    def __init__(self, random_below: Callable[[int], int]) -> None:
        self.now_ms, self.head_seq, self.watermark = 0, 1, 0
        self.uploads, self.fetches = 0, 0
        self.machine = Machine(SETTINGS, random_below, watermark=0, head_seq=1)

    def ask(self) -> Request | Wait:
        """Look at the next request; the laws that hold of each."""
        request = self.machine.next(self.now_ms)
        if isinstance(request, Upload):
            assert self.head_seq > self.watermark, "an upload with an empty queue"
            assert request.after_seq == self.watermark
            assert 1 <= request.entries_max <= SETTINGS.entries_max
        if isinstance(request, Wait):
            assert request.until_ms > self.now_ms
            assert request.until_ms - self.now_ms <= 2 * 3_600_000
        return request

    def answer(self, entries: int) -> None:
        """Answer what is asked for."""
        request = self.ask()
        if isinstance(request, Upload):
            self.uploads += 1
            taken = min(entries, request.entries_max, self.head_seq - self.watermark)
            self.watermark += taken
            self.machine.uploaded(self.watermark, self.now_ms)
        elif isinstance(request, FetchChanges):
            self.fetches += 1
            self.machine.changes_fetched(
                self.now_ms, more=entries % 2 == 0, programme_wanted=entries % 3 or None, unconfirmed=False
            )
        elif isinstance(request, FetchProgramme):
            self.machine.programme_fetched()
        elif isinstance(request, Report):
            self.watermark = max(0, self.watermark - entries)
            self.machine.reported(self.now_ms, watermark=self.watermark, unconfirmed=entries % 2 == 0)
        else:
            self.now_ms = request.until_ms

    def tell(self, fact: str, value: int | Failure) -> None:
        if isinstance(value, Failure):
            if not isinstance(request := self.ask(), Wait):
                self.machine.failed(value, self.now_ms, None, request)
        elif fact == "append":
            self.head_seq += value
            self.machine.appended(self.head_seq)
        elif fact == "throttle":
            self.machine.failed(Failure.THROTTLED, self.now_ms, value)
        elif fact == "answer":
            self.answer(value)
        elif fact == "reached":
            self.machine.reached()
        else:
            self.now_ms += value


@settings(max_examples=200)
@given(facts=st.lists(FACTS, max_size=60), chance=st.randoms(use_true_random=False))
def test_any_order_of_facts_keeps_the_laws_and_recovers(facts: list[tuple[str, int | Failure]], chance: object) -> None:
    central = Central(chance.randrange)  # type: ignore[attr-defined]  # a random.Random of hypothesis
    for fact, value in facts:
        central.tell(fact, value)
        central.ask()
    # From now on central answers: the queue drains and changes are fetched, however it had been before.
    fetches = central.fetches
    for _ in range(200):
        central.answer(301)
    assert central.watermark == central.head_seq
    assert central.fetches > fetches


@given(appended=st.lists(st.integers(1, 5), min_size=20, max_size=20))
def test_a_queue_that_never_empties_starves_no_changes_and_changes_starve_no_queue(appended: list[int]) -> None:
    central = Central(lambda limit: 0)
    central.head_seq += 100_000
    central.machine.appended(central.head_seq)
    for more in appended:
        central.tell("append", more)
        central.now_ms += SETTINGS.changes_ms
        for _ in ("changes", "upload", "programme", "upload"):
            central.answer(2)
    assert central.fetches >= len(appended) - 1
    assert central.uploads >= len(appended) - 1
