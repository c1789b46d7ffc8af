"""Central's ingest over HTTP, on both databases: against raw drivers, hot members, and as the entries grow."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack

from bench.central_fill import grow
from bench.central_lots import give_lots
from bench.central_places import KINDS, NoPlace, Place, new_places
from bench.central_process import TERMINALS, Central, Turn, running_central
from bench.central_site import BATCH, Upload, Uploader, new_site
from bench.raw_ingest import raw_side
from bench.rows import Row, Target, at_least, compared, not_measured
from bench.terminal import MEMBERS, PROGRAMME, member_id
from bench.workshop import Subject, Workshop

__all__ = ["CENTRAL_INGEST"]

TARGET = at_least(0.5)
RAW = {
    "PostgreSQL": f"raw asyncpg, unnest with balance, {TERMINALS} connections",
    "SQLite": f"raw sqlite3, batches of {BATCH} with balance",
}
RATE = "central ingest, {}, rate"
WORK = "central ingest, {}, processor time of a batch"
HOT_RATE = "central ingest, {}, all to one member, rate"
HOT_WORK = "central ingest, {}, all to one member, processor time of a batch"
PAST_RATE = "central ingest, {}, all to one member with lots that expire, rate"
PAST_WORK = "central ingest, {}, all to one member with lots that expire, processor time of a batch"
PAST_LOTS = 10_000
DATED = PROGRAMME.replace("{", '{"expiry": {"months_after_earning": 12}, "pending": {"hours": 48}, ', 1)
GROWN_RATE = "central ingest growth, {}, rate"
GROWN_WORK = "central ingest growth, {}, processor time of a batch"
# One upload alone would be too short to tell its processor time.
OPERATIONS_PER_UPLOAD = 10
SMALL_ENTRIES = 10_000
MEMBER_BLOCKS_MAX = 50
ENTRIES_PER_MEMBER = 10
TERMINALS_ENROLLED = 4 * TERMINALS

Side = Callable[[Sequence[Sequence[Upload]]], Turn]
Turns = tuple[list[Turn], list[Turn]]


def _ingest(workshop: Workshop, kind: str) -> Iterator[Row]:
    """Central, and a raw driver that stores the same entries into another database of the same kind."""
    with ExitStack() as stack:
        places = stack.enter_context(new_places(kind, workshop.directory / f"ingest-{kind}", 2))
        central = stack.enter_context(_central(workshop, places[0], MEMBERS))
        raw = stack.enter_context(raw_side(places[1]))
        tills = central.terminals()
        workshop.begin(f"ingest on {kind}", workshop.rounds)
        turns = _in_turns(workshop, central.turn, raw.turn, lambda: [_uploads(workshop, tills)] * 2)
    yield from _compared(kind, turns, RAW[kind], RATE, WORK, TARGET)


def _hot_member(workshop: Workshop, kind: str) -> Iterator[Row]:
    """One central, to which four terminals sell to one member, or four others each to anybody."""
    with ExitStack() as stack:
        (place,) = stack.enter_context(new_places(kind, workshop.directory / f"hot-{kind}", 1))
        central = stack.enter_context(_central(workshop, place, MEMBERS))
        sides = central.terminals(lambda: member_id(0)), central.terminals()
        workshop.begin(f"a hot member on {kind}", workshop.rounds)
        turns = _in_turns(workshop, central.turn, central.turn, lambda: [_uploads(workshop, tills) for tills in sides])
    yield from _compared(kind, turns, "spread over the members", HOT_RATE, HOT_WORK)


def _past(workshop: Workshop, kind: str) -> Iterator[Row]:
    """One central, to which four terminals sell to one member with a long past, or four others to one with none.

    For both, points mature in each second: every upload finds something due.
    """
    with ExitStack() as stack:
        (place,) = stack.enter_context(new_places(kind, workshop.directory / f"past-{kind}", 1))
        central = stack.enter_context(_central(workshop, place, MEMBERS, DATED))
        for number, lots in enumerate((PAST_LOTS, 0)):
            asyncio.run(give_lots(place.address, member_id(number), lots))
        sides = central.terminals(lambda: member_id(0)), central.terminals(lambda: member_id(1))
        workshop.begin(f"a member with a past on {kind}", workshop.rounds)
        turns = _in_turns(workshop, central.turn, central.turn, lambda: [_uploads(workshop, tills) for tills in sides])
    yield from _compared(kind, turns, "a member without a past", PAST_RATE, PAST_WORK, note=f"{PAST_LOTS:,} lots")


def _growth(workshop: Workshop, kind: str) -> Iterator[Row]:
    """A central with many entries and one with few, with as many members in both."""
    blocks = max(1, min(MEMBER_BLOCKS_MAX, workshop.entries // ENTRIES_PER_MEMBER // MEMBERS))
    with ExitStack() as stack:
        places = stack.enter_context(new_places(kind, workshop.directory / f"growth-{kind}", 2))
        centrals = [stack.enter_context(_central(workshop, place, blocks * MEMBERS)) for place in places]
        few = max(_begin_with(central, min(SMALL_ENTRIES, workshop.entries)) for central in centrals)
        copies = max(0, workshop.entries // few - 1)
        workshop.begin(f"filling {kind} with {few + copies * few:,} entries", copies)
        asyncio.run(grow(places[0].address, copies, blocks, workshop.advance))
        sides = [central.terminals() for central in centrals]
        workshop.begin(f"growth on {kind}", workshop.rounds)
        many, small = (central.turn for central in centrals)
        turns = _in_turns(workshop, many, small, lambda: [_uploads(workshop, tills) for tills in sides])
    note = f"{few + copies * few:,} entries and {blocks * MEMBERS:,} members"
    yield from _compared(kind, turns, f"with {few:,} entries", GROWN_RATE, GROWN_WORK, note=note)


def _central(
    workshop: Workshop, place: Place, members: int, programme: str = PROGRAMME
) -> AbstractContextManager[Central]:
    keys = workshop.directory / f"{place.name}.keys.json"
    site = asyncio.run(
        new_site(place.address, keys, members=members, terminals=TERMINALS_ENROLLED, programme=programme)
    )
    return running_central(site, place)


def _begin_with(central: Central, entries: int) -> int:
    """Upload entries to one member after the other; returns how many."""
    numbers = itertools.count()
    tills = central.terminals(lambda: member_id(next(numbers) % MEMBERS))
    uploads = max(1, entries // BATCH // TERMINALS)
    for _ in range(uploads):
        central.turn([[till.next()] for till in tills])
    return uploads * TERMINALS * BATCH


def _uploads(workshop: Workshop, tills: Sequence[Uploader]) -> list[list[Upload]]:
    each = max(1, workshop.operations // OPERATIONS_PER_UPLOAD // len(tills))
    return [[till.next() for _ in range(each)] for till in tills]


def _in_turns(
    workshop: Workshop, ours: Side, other: Side, uploads: Callable[[], Sequence[Sequence[Sequence[Upload]]]]
) -> Turns:
    """Let both take turns with uploads that are made before; the first turn warms up and does not count."""
    found: Turns = [], []
    for number in range(-1, workshop.rounds):
        sides = list(zip(found, (ours, other), uploads(), strict=True))
        for turns, side, made in sides if number % 2 else sides[::-1]:
            turns.append(side(made))
        if number >= 0:
            workshop.step()
    return found[0][1:], found[1][1:]


def _compared(
    kind: str, turns: Turns, other: str, rate: str, work: str, target: Target | None = None, note: str = ""
) -> Iterator[Row]:
    ours, others = ([turn.rate for turn in side] for side in turns)
    yield compared(rate.format(kind), "/s", ours, others, other, target, note)
    mine, theirs = ([turn.work_ms for turn in side if turn.work_ms is not None] for side in turns)
    if len(mine) == len(theirs) == len(ours):
        yield compared(work.format(kind), "ms", mine, theirs, other, None, note)
    else:
        yield not_measured(work.format(kind), other, None, "ms", "it is told on Linux, of a server that runs here")


def _subject(kind: str, one: Callable[[Workshop, str], Iterator[Row]], *texts: str) -> Subject:
    names = tuple(text.format(kind) for text in texts)

    def measure(workshop: Workshop) -> Iterator[Row]:
        try:
            yield from one(workshop, kind)
        except NoPlace as reason:
            yield from (not_measured(name, "", None, "", str(reason)) for name in names)

    return Subject(names=names, measure=measure)


CENTRAL_INGEST = tuple(
    subject
    for kind in KINDS
    for subject in (
        _subject(kind, _ingest, RATE, WORK),
        _subject(kind, _hot_member, HOT_RATE, HOT_WORK),
        _subject(kind, _past, PAST_RATE, PAST_WORK),
        _subject(kind, _growth, GROWN_RATE, GROWN_WORK),
    )
)
