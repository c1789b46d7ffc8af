"""The programme document as data: every rule of a loyalty programme, versioned and signed by central.

The format is described in docs/programme.md. `parse_programme` accepts exactly that format and names what is wrong and
where. The document itself computes nothing: see `loyalty_sdk.rules`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from loyalty_sdk.codec import CodecError, decode, loads

__all__ = [
    "EarningRule",
    "Expiry",
    "OfflineCaps",
    "Pending",
    "Programme",
    "ReceiptTexts",
    "Reward",
    "Rounding",
    "Selection",
    "parse_programme",
]

PROGRAMME_BYTES_MAX = 1_000_000
RULES_MAX = 1_000
QR_BYTES_MAX = 200
CURRENCY = re.compile("[A-Z]{3}")
MONTHS_MAX = 1_200
# Less than the shortest month: points become available before they can expire.
PENDING_HOURS_MAX = 672
# 29 February is not there every year.
DAY_OF_YEAR = re.compile("(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31")
UTC_OFFSET = re.compile("[+-](0[0-9]|1[0-4]):[0-5][0-9]")

RoundingMode = Literal["floor", "ceiling", "half_up", "half_even"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A set of lines by category or sku; a line belongs to it when either matches."""

    categories: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How a rule gets to whole numbers: the mode; over the basket or line by line; whole points or whole steps."""

    mode: RoundingMode = "floor"
    scope: Literal["basket", "line"] = "basket"
    unit: Literal["point", "step"] = "point"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningRule:
    """`points` for every `per_minor` spent (kind `amount`) or for every unit bought (kind `item`).

    Only lines of `included` count (all lines where it is absent), never lines of `excluded`. Below
    `minimum_spend_minor`, summed over the counting lines, the rule gives nothing.
    """

    id: str
    kind: Literal["amount", "item"]
    points: int
    per_minor: int = 0
    minimum_spend_minor: int = 0
    included: Selection | None = None
    excluded: Selection = Selection()
    rounding: Rounding = Rounding()

    def __post_init__(self) -> None:
        if self.points < 1:
            raise ValueError("points must be 1 or more")
        if (self.kind == "amount") != (self.per_minor >= 1):
            raise ValueError("per_minor belongs to kind amount, and is 1 or more there")
        if self.minimum_spend_minor < 0:
            raise ValueError("minimum_spend_minor must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """`points` for a discount of `discount_minor` on the basket, up to `count_per_sale_max` times in one sale."""

    id: str
    points: int
    discount_minor: int
    minimum_spend_minor: int = 0
    count_per_sale_max: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        if self.points < 1 or self.discount_minor < 1 or self.count_per_sale_max < 1:
            raise ValueError("points, discount_minor and count_per_sale_max must be 1 or more")
        if self.minimum_spend_minor < 0:
            raise ValueError("minimum_spend_minor must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineCaps:
    """What a terminal may redeem without central, and what central sets aside for that ahead of time.

    `points_per_sale_max` and `points_per_member_max`, `redemptions_per_member_max` count what was held since the last
    contact with central; after `hours_since_contact_max` nothing is redeemed offline. A grant ahead holds at most
    `grant_ahead_points_max` of a member's points and expires after `grant_hours`.
    """

    points_per_sale_max: int = 0
    points_per_member_max: int = 0
    redemptions_per_member_max: int = 0
    hours_since_contact_max: int = 0
    grant_ahead_points_max: int = 0
    grant_hours: int = 72

    def __post_init__(self) -> None:
        caps = (
            self.points_per_sale_max,
            self.points_per_member_max,
            self.redemptions_per_member_max,
            self.hours_since_contact_max,
            self.grant_ahead_points_max,
        )
        if min(caps) < 0 or not 1 <= self.grant_hours <= 8_760:
            raise ValueError("caps must be 0 or more, and grant_hours from 1 to 8760")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """When earned points expire: at the end of a day, as a clock shows it that is `utc_offset` from UTC.

    Either `months_after_earning`, counted from the day of earning (the last day of a shorter month where there is no
    such day); or on a day of every year, `on` as `12-31`: the first that is `months_min` months or more after it.
    """

    months_after_earning: int | None = None
    on: str | None = None
    months_min: int = 1
    utc_offset: str = "+00:00"

    def __post_init__(self) -> None:
        if (self.months_after_earning is None) == (self.on is None):
            raise ValueError("give either months_after_earning or on: a number of months, or a day as 12-31")
        if self.on is not None and not DAY_OF_YEAR.fullmatch(self.on):
            raise ValueError(f"on must be a day that every year has, as 12-31, not {self.on!r}")
        if self.on is None and self.months_min != 1:
            raise ValueError("months_min belongs to on; leave it out")
        months = (self.months_min, 1 if self.months_after_earning is None else self.months_after_earning)
        if min(months) < 1 or max(months) > MONTHS_MAX:
            raise ValueError(f"months_after_earning and months_min must be from 1 to {MONTHS_MAX}")
        if not UTC_OFFSET.fullmatch(self.utc_offset):
            raise ValueError(f"utc_offset must be hours and minutes from UTC, as -03:00, not {self.utc_offset!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """How long earned points wait before they can be spent."""

    hours: int

    def __post_init__(self) -> None:
        if not 1 <= self.hours <= PENDING_HOURS_MAX:
            raise ValueError(f"hours must be from 1 to {PENDING_HOURS_MAX}; leave pending out for none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptTexts:
    """What a printed receipt says around the sale: the locale of its words and numbers, header and footer lines.

    `qr` is what a QR code above the footer holds, none where it is empty; `{receipt}` in it becomes the receipt's key.
    """

    locale: str = "en"
    header: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    qr: str = ""

    def __post_init__(self) -> None:
        if len(self.qr.encode()) > QR_BYTES_MAX:
            raise ValueError(f"qr must have at most {QR_BYTES_MAX} bytes, so that its code fits a narrow receipt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """One version of a programme. Rules add up; a reward's discount lowers what is earned where the basis is `paid`."""

    format: Literal["loyalty-programme-1"]
    name: str
    version: int
    currency: str
    earning_basis: Literal["gross", "paid"] = "paid"
    earning: tuple[EarningRule, ...] = ()
    rewards: tuple[Reward, ...] = ()
    expiry: Expiry | None = None
    pending: Pending | None = None
    offline: OfflineCaps = OfflineCaps()
    receipt: ReceiptTexts = ReceiptTexts()

    def __post_init__(self) -> None:
        if self.version < 1:
            raise ValueError("version counts from 1")
        if not CURRENCY.fullmatch(self.currency):
            raise ValueError(f"currency {self.currency!r} is not an ISO 4217 code as EUR or BRL")
        for field, items in (("earning", self.earning), ("rewards", self.rewards)):
            ids = [item.id for item in items]
            if len(ids) > RULES_MAX or len(set(ids)) != len(ids) or "" in ids:
                raise ValueError(f"{field}: at most {RULES_MAX} rules, each with an id of its own")

    def reward(self, reward_id: str) -> Reward | None:
        """Return the reward of that id, or None."""
        return next((reward for reward in self.rewards if reward.id == reward_id), None)


def parse_programme(document: bytes | str) -> Programme:
    """Read a programme document (docs/programme.md). Raises CodecError, which names the place and the remedy."""
    if len(document) > PROGRAMME_BYTES_MAX:
        raise CodecError(f"the programme document exceeds {PROGRAMME_BYTES_MAX} bytes")
    return decode(Programme, loads(document))
