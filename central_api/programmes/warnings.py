"""What a retailer would regret in a programme that is otherwise in order: rules that contradict each other or itself.

Pure functions of a programme and, where there is one, the programme that it follows. Whether a text can be printed is
the printer's matter: the agent says so when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from loyalty_sdk.office import Finding
from loyalty_sdk.programme import EarningRule, Programme, Selection

__all__ = ["warnings_of"]

# A price of a reward, up or down, beyond which it may be a slip of the keyboard.
CHANGE_PERCENT_MAX = 50
# What rewards usually give back of what was spent is 1 to 5 %.
GIVEN_BACK_PERCENT_MAX = 50
# Of the shortest life that points can have, in which they cannot be spent.
PENDING_PERCENT_MAX = 50
HOURS_OF_MONTH_MIN = 28 * 24

CAPS = (
    "points_per_sale_max",
    "points_per_member_max",
    "redemptions_per_member_max",
    "hours_since_contact_max",
    "grant_ahead_points_max",
)
CAPS_OF_POINTS = ("points_per_sale_max", "points_per_member_max", "grant_ahead_points_max")

Check = Callable[[Programme], Iterator[Finding]]


def warnings_of(programme: Programme, before: Programme | None = None) -> Iterator[Finding]:
    """Yield the warnings about a programme, in the order of its fields; `before` is the version that it follows."""
    if before is not None:
        yield from _currency(programme, before)
    for check in _CHECKS:
        yield from check(programme)
    if before is not None:
        yield from _rewards_changed(programme, before)


def _warning(place: str, detail: str) -> Finding:
    return Finding(severity="warning", place=place, detail=detail)


def _selections(programme: Programme) -> Iterator[Finding]:
    for number, rule in enumerate(programme.earning):
        place = f"earning[{number}]"
        yield from _blank(f"{place}.excluded", rule.excluded)
        if rule.included is None:
            continue
        yield from _blank(f"{place}.included", rule.included)
        if not rule.included.categories and not rule.included.skus:
            yield _warning(
                f"{place}.included", "names nothing, so that the rule never earns; leave it out for all lines"
            )
        else:
            yield from _excluded_again(place, rule, rule.included)


def _blank(place: str, selection: Selection) -> Iterator[Finding]:
    if "" in selection.categories:
        at = f"{place}.categories[{selection.categories.index('')}]"
        yield _warning(at, "is empty, which means every line that has no category; leave it out if that is not meant")


def _excluded_again(place: str, rule: EarningRule, included: Selection) -> Iterator[Finding]:
    """`excluded` stands above `included`: what is in both never counts."""
    excluded = rule.excluded
    if {*included.categories} <= {*excluded.categories} and {*included.skus} <= {*excluded.skus}:
        yield _warning(f"{place}.excluded", "holds all of included, so that the rule never earns; keep it in one")
        return
    both = _in_both("categories", excluded.categories, included.categories)
    both += _in_both("skus", excluded.skus, included.skus)
    for at, what in both:
        yield _warning(f"{place}.excluded.{at}", f"{what!r} is in included as well, and never counts; keep it in one")


def _in_both(field: str, excluded: tuple[str, ...], included: tuple[str, ...]) -> list[tuple[str, str]]:
    wanted = frozenset(included)
    return [(f"{field}[{index}]", what) for index, what in enumerate(excluded) if what in wanted]


def _overlaps(programme: Programme) -> Iterator[Finding]:
    """A rule for all lines and a bonus for some are meant to add up; two for the same lines seldom are."""
    seen: dict[tuple[str, str], str] = {}
    for number, rule in enumerate(programme.earning):
        for place, what in _counted(rule):
            first = seen.setdefault(what, rule.id)
            if first != rule.id:
                lines = repr(what[1]) if what[1] else "every line"
                detail = f"{lines} counts in the rule {first!r} as well, and what they give adds up"
                yield _warning(f"earning[{number}]{place}", f"{detail}; keep it in one if that is not meant")


def _counted(rule: EarningRule) -> Iterator[tuple[str, tuple[str, str]]]:
    """What a rule counts, each with its place; a rule for all lines overlaps with its own kind alone."""
    if rule.included is None:
        yield "", (rule.kind, "")
        return
    for field in ("categories", "skus"):
        named: tuple[str, ...] = getattr(rule.included, field)
        excluded: frozenset[str] = frozenset(getattr(rule.excluded, field))
        for index, what in enumerate(named):
            if what not in excluded:
                yield f".included.{field}[{index}]", (field, what)


def _rewards(programme: Programme) -> Iterator[Finding]:
    if programme.rewards and not programme.earning:
        yield _warning("rewards", "nothing earns points to spend on them; add a rule to earning")
    per_minor = _points_per_minor(programme)
    for number, reward in enumerate(programme.rewards):
        place = f"rewards[{number}]"
        if 0 < reward.minimum_spend_minor < reward.discount_minor:
            detail = f"is less than the discount of {reward.discount_minor}, which a basket must reach as well"
            yield _warning(
                f"{place}.minimum_spend_minor", f"{detail}: it is never reached at {reward.minimum_spend_minor}"
            )
        percent = per_minor * Fraction(reward.discount_minor, reward.points) * 100
        if percent > GIVEN_BACK_PERCENT_MAX:
            detail = f"gives back {int(percent)} % of what earns its {reward.points} points"
            yield _warning(
                f"{place}.discount_minor", f"{detail}; check points and discount_minor, which is in minor units"
            )


def _points_per_minor(programme: Programme) -> Fraction:
    """What every line earns for each minor unit, by the rules for all lines."""
    whole = (rule for rule in programme.earning if rule.kind == "amount" and rule.included is None)
    return sum((Fraction(rule.points, rule.per_minor) for rule in whole), Fraction(0))


def _pending(programme: Programme) -> Iterator[Finding]:
    if programme.expiry is None or programme.pending is None:
        return
    months = programme.expiry.months_after_earning or programme.expiry.months_min
    life, hours = months * HOURS_OF_MONTH_MIN, programme.pending.hours
    if hours * 100 > life * PENDING_PERCENT_MAX:
        detail = f"points wait {hours} hours of a life that may be as short as {months * 28} days"
        yield _warning("pending.hours", f"{detail}; make it shorter, or expiry later")


def _offline(programme: Programme) -> Iterator[Finding]:
    caps = programme.offline
    if not programme.rewards:
        return
    zero = [name for name in CAPS if getattr(caps, name) == 0]
    if zero:
        where = f"offline.{zero[0]}" if len(zero) == 1 else "offline"
        detail = f"{', '.join(zero)} {'is' if len(zero) == 1 else 'are'} 0: no reward is given without the network"
        yield _warning(where, f"{detail}; set caps above 0, or leave it so if that is meant")
        return
    cheapest = min(reward.points for reward in programme.rewards)
    for name in CAPS_OF_POINTS:
        if getattr(caps, name) < cheapest:
            detail = f"is below the {cheapest} points of the cheapest reward: none is given without the network"
            yield _warning(f"offline.{name}", f"{detail}; set {cheapest} or more")
    if caps.grant_hours < caps.hours_since_contact_max:
        detail = f"a grant ends {caps.hours_since_contact_max - caps.grant_hours} hours before hours_since_contact_max"
        yield _warning("offline.grant_hours", f"{detail}; set {caps.hours_since_contact_max} or more")


def _currency(programme: Programme, before: Programme) -> Iterator[Finding]:
    if programme.currency != before.currency:
        detail = f"version {before.version} counts in {before.currency}, and points keep their number"
        yield _warning("currency", f"{detail}; check that shops sell in {programme.currency} from now on")


def _rewards_changed(programme: Programme, before: Programme) -> Iterator[Finding]:
    numbers = {reward.id: number for number, reward in enumerate(programme.rewards)}
    for old in before.rewards:
        if old.id not in numbers:
            yield _warning("rewards", f"{old.id!r} of version {before.version} is gone; keep its id if it goes on")
            continue
        new = programme.rewards[numbers[old.id]]
        for name in ("points", "discount_minor"):
            was, becomes = getattr(old, name), getattr(new, name)
            if abs(becomes - was) * 100 > was * CHANGE_PERCENT_MAX:
                detail = f"was {was} in version {before.version} and becomes {becomes}"
                yield _warning(f"rewards[{numbers[old.id]}].{name}", f"{detail}; check that so much is meant")


_CHECKS: tuple[Check, ...] = (_selections, _overlaps, _rewards, _pending, _offline)
