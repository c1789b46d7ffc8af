"""The laws of docs/architecture.md, checked after a simulation has come to rest. One that holds gives no sentence.

They read both databases with plain SQL, and compare with what the witnesses and the tills had noted meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from central_api.verification.verification import verify_tenant
from loyalty_sdk.envelope import decode_entry
from sync.replica import member_view
from tests.simulation.central_site import TENANT
from tests.simulation.ledger import Ledger, read_ledger
from tests.simulation.lots import Figures
from tests.simulation.reckoning import balances_of_members, points_of_members
from tests.simulation.replay import net_in_another_order
from tests.simulation.witness import Noted

if TYPE_CHECKING:
    from tests.simulation.run import Simulation
    from tests.simulation.terminal import SimulatedTerminal

__all__ = ["broken_laws"]

# The second record of a receipt, and an entry that two lives of a journal share.
REJECTED_TWICE = ("duplicate-receipt", "duplicate-entry")

# A return that finds nothing left: all of it came back in another shop, and central heard of that before.
RETURNED_ELSEWHERE = ("returned-more-than-sold", "returned-before")

Law = Callable[["Simulation", Ledger], Iterator[str]]


def broken_laws(simulation: Simulation) -> list[str]:
    """Return one sentence for each law that is broken, and what broke it."""
    ledger = read_ledger(simulation.server.connection)
    return [f"{law.__name__}: {broken}" for law in LAWS for broken in law(simulation, ledger)]


def conservation(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Every balance is the sum of its transfers, and nothing is made or lost on the way (Law 8)."""
    for member_id, sums in ledger.sums.items():
        row = ledger.balances.get(member_id)
        held = (0, 0, 0) if row is None else (row.available, row.pending, row.owed)
        figures = (*held, ledger.reserved.get(member_id, 0))
        expected = (sums["available"], sums["pending"], -sums["owed"], sums["reserved"])
        if figures != expected or sum(sums.values()) != 0:
            yield f"member {member_id} has {figures} available, pending, owed, reserved; transfers sum to {expected}"
    of_grants: Counter[str] = Counter()
    for grant in ledger.grants:
        of_grants[grant.member_id] += grant.points - grant.spent - grant.released
    for member_id in of_grants.keys() | ledger.reserved.keys():
        if of_grants[member_id] != ledger.reserved.get(member_id, 0):
            yield f"member {member_id} has {ledger.reserved.get(member_id, 0)} reserved, grants {of_grants[member_id]}"


def one_booking_for_each_entry(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """What an entry moved is what its outcome says, and only what is applied moves a balance."""
    for entry in ledger.entries:
        moved = ledger.net_of_entry.get(entry.id, 0)
        if moved != (entry.points or 0) and entry.reason not in REJECTED_TWICE:
            yield f"entry {entry.id} ({entry.outcome}) moved {moved} points, its outcome says {entry.points}"


def density_and_chain(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Central holds each journal without a gap, byte for byte as it was committed at the terminal (Law 3)."""
    held: dict[tuple[str, str], list[Any]] = defaultdict(list)
    known: set[tuple[str, str]] = set()
    for entry in ledger.entries:
        held[entry.terminal, entry.journal].append(entry)
    for shop in simulation.shops:
        for journal in shop.witness.journals:
            place = (shop.terminal, journal)
            yield from _held_as_committed(simulation, shop, journal, held[place], ledger.watermarks.get(place))
            known.add(place)
    for terminal, journal in sorted(held.keys() - known):
        yield f"central holds journal {journal} of {terminal}, which the terminal never wrote"


def _held_as_committed(
    simulation: Simulation, shop: SimulatedTerminal, journal: str, theirs: list[Any], mark: Any
) -> Iterator[str]:
    name, copies = f"{shop.name} {journal}", [one for one in simulation.shops if journal in one.witness.journals]
    lives = [*shop.witness.lives(journal), *(life for one in copies for life in one.witness.lives(journal))]
    found = [(row.seq, bytes(row.bytes), bytes(row.hash)) for row in theirs]
    if journal == shop.store.journal:
        as_committed = [(entry.seq, entry.data, entry.hash) for entry in lives[0]] == found
    else:  # It was given up for a new one, which took over what central does not hold of it.
        as_committed = any(found == [(e.seq, e.data, e.hash) for e in life[: len(found)]] for life in lives)
    if not as_committed:
        yield f"{name}: central holds {len(found)} entries, {len(lives[0])} were committed, or their bytes differ"
    before = shop.witness.first_hash(journal, _previous_hash(max(lives, key=len)))
    for _, data, _ in found:
        before = hashlib.sha256(before + data).digest()
    if (mark is None and found) or (mark and (mark.watermark, bytes(mark.watermark_hash)) != (len(found), before)):
        yield f"{name}: central's watermark is not the head of the chain that it holds"


def nothing_acknowledged_is_lost(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Every receipt that a till was acknowledged stands at central once, under the entry that it was told.

    Or under one that nobody was told, and that was sent before the till's disk went back: the retry is recorded again.
    """
    outcome_of = {entry.id: entry for entry in ledger.entries if entry.id is not None}
    for name, receipt in simulation.book.receipts.items():
        entry_id = ledger.receipts.get(name)
        entry = outcome_of.get(entry_id)
        if simulation.is_lost(receipt, ledger):
            continue
        if entry is None:
            yield f"receipt {name} was acknowledged as {sorted(receipt.entry_ids)}, central does not have it"
        elif entry_id not in receipt.entry_ids | simulation.lost and not receipt.moved:
            yield f"receipt {name} was acknowledged as {sorted(receipt.entry_ids)}, central has {entry_id}"
        elif entry.reason in RETURNED_ELSEWHERE and entry.outcome == "rejected" and simulation.is_beyond(receipt):
            continue
        elif entry.outcome != "applied" and not simulation.waits_for_lost(receipt, ledger):
            yield f"receipt {name} is {entry.outcome} at central: {entry.reason}"


def nothing_is_doubled(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """No receipt and no entry counts twice (Law 5); what is rejected is the second record of a receipt that moved."""
    named: Counter[str] = Counter()
    restored = {shop.terminal for shop in simulation.shops if shop.witness.has_gone_back}
    for entry in ledger.entries:
        key = None if entry.id is None else decode_entry(entry.bytes).receipt_key
        if key is not None and entry.outcome == "applied":
            named[str(key)] += 1
        if entry.id in ledger.without_card and simulation.server.restored:
            continue
        if entry.reason == "grant-closed-twice" and entry.terminal in restored:
            continue  # The life before had closed it.
        receipt = simulation.book.receipts.get(str(key))
        if entry.reason in RETURNED_ELSEWHERE and receipt is not None and simulation.is_beyond(receipt):
            continue
        if entry.outcome == "quarantined" or (entry.outcome == "rejected" and entry.reason not in REJECTED_TWICE):
            yield f"entry {entry.id} of {entry.terminal} is {entry.outcome}: {entry.reason}"
        stayed = receipt is None or not receipt.moved
        if entry.reason in REJECTED_TWICE and entry.terminal not in restored and stayed:
            yield f"receipt {key} was recorded twice, though it never left {entry.terminal}"
    for name, times in named.items():
        if times > 1:
            yield f"receipt {name} is applied {times} times"
        if name not in simulation.book.receipts:
            yield f"receipt {name} is applied, no till ever asked for it"


def balances_of_the_oracle(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Every balance is what the tills' own list gives by the programme's document alone.

    What a restored disk spent beyond its grants is central's loss and never the member's; `the_loss_bound` bounds it.
    """
    expected = balances_of_members(simulation, ledger)
    for member_id, alias in simulation.members():
        sums = ledger.sums[member_id]
        net = ledger.net(member_id) + sums["pending"] + sums["expired"] + sums["offline_loss"]
        if net != expected[alias]:
            yield f"{alias} ({member_id}) has {net} points but for central's loss, the oracle says {expected[alias]}"


def points_wait_and_expire_by_their_dates(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Where points have dates: every figure is that of a naive model of lots (Laws 7 and 8)."""
    if not simulation.scenario.dated:
        return
    points = points_of_members(simulation, ledger)
    for member_id, _ in simulation.members():
        if ledger.sums[member_id]["offline_loss"]:
            continue  # What was spent beyond the grants is not the member's.
        row, expired = ledger.balances.get(member_id), ledger.sums[member_id]["expired"]
        found = Figures(expired=expired) if row is None else Figures(row.available, row.pending, row.owed, expired)
        expected = points[member_id].at(simulation.settled_at)
        if found != expected:
            yield f"member {member_id} has {found}, by the lots {expected}"


def the_loss_bound(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Honest terminals cost nothing, whatever the outage; a restored disk or a clone at most its grants."""
    bound: Counter[str] = Counter()
    for shop in simulation.shops:
        bound.update(shop.witness.loss_bound)
    copies = Counter(shop.terminal for shop in simulation.shops)
    for grant in ledger.grants:  # Each copy of a terminal hears of its grants, and none of what the others spend.
        bound[grant.grant_id] += grant.points * (copies[grant.terminal] - 1)
    for grant in ledger.grants:
        if grant.overdrawn > bound[grant.grant_id]:
            yield f"grant {grant.grant_id} of {grant.terminal} is overdrawn by {grant.overdrawn}: beyond the loss bound"
    lost, overdrawn = (
        -sum(sums["offline_loss"] for sums in ledger.sums.values()),
        sum(g.overdrawn for g in ledger.grants),
    )
    if lost > overdrawn:  # It is less where a sale that overdrew its grant came back.
        yield f"{lost} points were lost offline, the grants are overdrawn by {overdrawn}"


def grants_come_back(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """After its end a grant is closed on both sides, and both agree on what was spent and what came back."""
    ours = {row.grant_id: row for shop in simulation.shops for row in shop.rows("SELECT * FROM grants")}
    restored = {shop.terminal for shop in simulation.shops if shop.witness.has_gone_back}
    reached = {shop.terminal for shop in simulation.shops} - simulation.events.revoked - restored
    now = simulation.server.capabilities.now()
    for grant in ledger.grants:
        if datetime.fromisoformat(grant.not_after) >= now:
            continue  # A doubled request came late, and central took it for another.
        known = ours.get(grant.grant_id)
        # What is closed on both sides, the till forgets after a month.
        if known is None and grant.terminal in reached and grant.state != "closed":
            yield f"grant {grant.grant_id} never came to {grant.terminal}"
        if known is None or grant.terminal in restored:
            continue
        if known.state != "closed" or grant.state != "closed":
            yield f"grant {grant.grant_id} has ended and is {known.state} at {grant.terminal}, {grant.state} at central"
        if known.held or grant.points != grant.spent + grant.released:
            back = f"{grant.spent} spent and {grant.released} released of {grant.points} at central"
            yield f"grant {grant.grant_id} is closed: {known.held} held at {grant.terminal}; {back}"


def replicas_agree(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """A till that hears everything shows what central has of every member that it asked for or sold to.

    It may know nothing of one for whom it only asked, if that answer was lost or went with its disk: the feed tells of
    changes, and there was none. It asks again when the card is scanned.
    """
    for shop in simulation.shops:
        if shop.terminal in simulation.events.revoked:
            continue
        for member_id in ledger.snapshots_wanted.get(shop.terminal, ()):
            with shop.store.reading() as connection:
                view = member_view(connection, member_id)
            if view is None and (shop.terminal, member_id) not in ledger.members_told:
                continue
            if view is None or view.balance != ledger.net(member_id):
                shown = "nothing" if view is None else view.balance
                yield f"{shop.name} shows {shown} for {member_id}, central has {ledger.net(member_id)}"


def outcomes_agree(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """A till lists exactly the entries that central did not apply, but for those that it has twice (Law 6)."""
    for shop in simulation.shops:
        if shop.terminal in simulation.events.revoked:
            continue
        journal = shop.store.journal
        again_seq, floor_seq = _seq_fact(shop, "recorded_again_seq"), _seq_fact(shop, "floor_seq")
        theirs = {
            e.seq: e.outcome
            for e in ledger.entries
            if e.journal == journal
            and e.seq > floor_seq  # What is older than a month is pruned.
            and e.outcome != "applied"
            and not (e.reason == "duplicate-entry" and e.seq <= again_seq)
        }
        ours = {row.seq: row.outcome for row in shop.rows("SELECT seq, outcome FROM outcomes")}
        if ours != theirs:
            yield f"{shop.name} lists {ours}, central did not apply {theirs}"


def epochs_begin_with_a_restore(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """Nobody was told of an entry that central does not hold: a new epoch begins only where central was restored."""
    if not simulation.server.restored and ledger.epoch != simulation.shops[0].identity.epoch:
        yield "central took itself for restored: a till had an acknowledgement of entries that central does not hold"


def verify_finds_nothing(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """What an operator's `verify` judges and folds anew is what is stored."""
    if not simulation.scenario.replayed:
        return
    with simulation.server.connection.begin():
        found = verify_tenant(simulation.server.connection, simulation.server.capabilities, TENANT, lambda _: None)
    for difference in found.shown:
        yield f"{difference}"


def order_does_not_matter(simulation: Simulation, ledger: Ledger) -> Iterator[str]:
    """The same entries and decisions, delivered in another order, give the same balances (Law 7)."""
    gone_back = simulation.server.restored or any(shop.witness.has_gone_back for shop in simulation.shops)
    if not simulation.scenario.replayed or gone_back or _is_settled_by_who_came_first(ledger):
        return
    if simulation.scenario.dated and any(entry.effective_at == entry.received_at for entry in ledger.entries):
        return  # The clock of a till was ahead: then the points' dates hang on when central heard of them.
    again = net_in_another_order(simulation, ledger)
    for member_id, _ in simulation.members():
        if again[member_id] != ledger.net(member_id):
            yield f"member {member_id} has {ledger.net(member_id)} points, in another order {again[member_id]}"


def _previous_hash(noted: Sequence[Noted]) -> str:
    """What a journal's first entry says of the journal before it."""
    previous: str | None = json.loads(noted[0].data)["body"]["previous_hash"] if noted else None
    return previous or ""


def _seq_fact(shop: SimulatedTerminal, name: str) -> int:
    """A place in the journal that the till noted, 0 before it did."""
    ((seq,),) = shop.rows(f"SELECT coalesce(max(CAST(value AS INT)), 0) FROM meta WHERE name = '{name}'")
    return int(seq)


def _is_settled_by_who_came_first(ledger: Ledger) -> bool:
    """Whether a receipt was recorded at two terminals: the record that arrives first has it, by Law 5."""
    return any(entry.reason in REJECTED_TWICE for entry in ledger.entries)


LAWS: tuple[Law, ...] = (
    conservation,
    one_booking_for_each_entry,
    density_and_chain,
    nothing_acknowledged_is_lost,
    nothing_is_doubled,
    balances_of_the_oracle,
    points_wait_and_expire_by_their_dates,
    the_loss_bound,
    grants_come_back,
    replicas_agree,
    outcomes_agree,
    epochs_begin_with_a_restore,
    verify_finds_nothing,
    order_does_not_matter,
)
