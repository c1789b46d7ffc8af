"""X and Z reports: the loyalty totals of one register and business date. Data only; the agent counts.

An X report is interim and leaves no trace. A Z report closes the business date of its register: it is numbered without
gaps, kept by the agent, and answers the same ever after. What is recorded for that date later goes into a further Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from loyalty_sdk.model import PrintJob

__all__ = ["Report", "ReportKind"]

ReportKind = Literal["x", "z"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Totals of the receipts that no earlier Z report (`earlier_numbers`) of this register and date contains.

    Amounts are in minor units of `currency`; None before the first amount. `members` are distinct, `member_sales` name
    one. `points_pending` were earned with cards that central still has to confirm. Training counts nowhere.

    `complete` is False where something could not be counted: `receipts_missing` of that date, of this or another
    register, have left the journal (it keeps entries for its retention); `reversals_unvalued` are returns of sales that
    this terminal does not know, whose points central works out; `other_currency` receipts are not in the amounts.

    `copy` says that this Z report was made before; `lines` are the report as text; `job` is its print, if asked.
    """

    kind: ReportKind
    store: str
    register: str
    business_date: date
    made_at: datetime
    number: int | None = None
    earlier_numbers: tuple[int, ...] = ()
    currency: str | None = None
    sales: int = 0
    sales_minor: int = 0
    member_sales: int = 0
    members: int = 0
    reversals: int = 0
    reversed_minor: int = 0
    points_earned: int = 0
    points_pending: int = 0
    points_redeemed: int = 0
    discount_minor: int = 0
    points_taken_back: int = 0
    points_given_back: int = 0
    receipts_missing: int = 0
    reversals_unvalued: int = 0
    other_currency: int = 0
    complete: bool = True
    copy: bool = False
    lines: tuple[str, ...] = ()
    job: PrintJob | None = None
