"""The errors of the SDK, one class for each problem `type` of the local API.

    LoyaltyError
    ├── AgentUnreachable            the agent does not answer; nothing was recorded
    ├── OutcomeUnknown              it may have been recorded: retry with the same key
    ├── InvalidRequest              the call itself is wrong
    │   ├── BasketInvalid           lines, total or tenders do not add up
    │   ├── CurrencyMismatch        the programme counts in another currency
    │   └── ScanUnreadable          the scan holds no usable code
    ├── AccessRefused               token, Host or Origin was not accepted
    ├── NotFound
    │   ├── ReceiptUnknown          no sale under that receipt key is known here
    │   └── HoldUnknown             no hold under that id is known here
    ├── Conflict
    │   ├── ReceiptConflict         the receipt key already holds something else
    │   ├── HoldNotOpen             the hold was spent or released before
    │   └── TrainingMismatch        training and real sales do not mix
    ├── RedemptionRefused
    │   ├── InsufficientPoints      neither central nor a grant covers the points
    │   ├── OfflineCapExceeded      a cap of the programme for offline redemption
    │   └── RewardUnavailable       no such reward, or the basket does not reach it
    ├── ReversalRefused             more returned than sold, or already reversed
    ├── Busy                        a queue is full: try again shortly
    ├── JournalUnavailable          the journal cannot be written (disk full, forked)
    ├── PrinterUnavailable          no printer for this register, or its spool is full
    ├── ScannerUnavailable          no scanner for this register, or it is offline
    ├── ScannerCommandRefused       the scanner does not do this command
    └── AgentFailure                the agent failed in a way it has no name for

Every text names the remedy. `type` is the stable URN of RFC 9457, `status` the HTTP status it travels under, and
`request_id` names the call in the agent's log.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "PROBLEM_PREFIX",
    "AccessRefused",
    "AgentFailure",
    "AgentUnreachable",
    "BasketInvalid",
    "Busy",
    "Conflict",
    "CurrencyMismatch",
    "HoldNotOpen",
    "HoldUnknown",
    "InsufficientPoints",
    "InvalidRequest",
    "JournalUnavailable",
    "LoyaltyError",
    "NotFound",
    "OfflineCapExceeded",
    "OutcomeUnknown",
    "PrinterUnavailable",
    "ReceiptConflict",
    "ReceiptUnknown",
    "RedemptionRefused",
    "ReversalRefused",
    "RewardUnavailable",
    "ScanUnreadable",
    "ScannerCommandRefused",
    "ScannerUnavailable",
    "TrainingMismatch",
    "error_class",
]

PROBLEM_PREFIX = "urn:loyalty:problem:"


class LoyaltyError(Exception):
    """Base of every error that the SDK raises; `str()` gives one sentence that names the remedy."""

    type: ClassVar[str] = PROBLEM_PREFIX + "error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, request_id: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.request_id = request_id


class AgentUnreachable(LoyaltyError):
    """The agent did not answer, and the call changes nothing: sell on, and record the sale later."""

    type = PROBLEM_PREFIX + "agent-unreachable"
    status = 503


class OutcomeUnknown(LoyaltyError):
    """The answer was lost: the call may or may not have been recorded. Retry with the same receipt key."""

    type = PROBLEM_PREFIX + "outcome-unknown"
    status = 504


class InvalidRequest(LoyaltyError):
    """The call cannot be understood; the text names the field and what would be right."""

    type = PROBLEM_PREFIX + "invalid-request"
    status = 422


class BasketInvalid(InvalidRequest):
    """Lines, total or tenders do not add up; the text gives both figures."""

    type = PROBLEM_PREFIX + "basket-invalid"


class CurrencyMismatch(InvalidRequest):
    """The basket's currency is not the programme's."""

    type = PROBLEM_PREFIX + "currency-mismatch"


class ScanUnreadable(InvalidRequest):
    """The scan is empty, too long or holds no printable code: scan again or key it in."""

    type = PROBLEM_PREFIX + "scan-unreadable"


class AccessRefused(LoyaltyError):
    """The token, the Host or the Origin of the call was not accepted."""

    type = PROBLEM_PREFIX + "access-refused"
    status = 401


class NotFound(LoyaltyError):
    """Nothing is known under that name."""

    type = PROBLEM_PREFIX + "not-found"
    status = 404


class ReceiptUnknown(NotFound):
    """No sale under that receipt key is known at this terminal."""

    type = PROBLEM_PREFIX + "receipt-unknown"


class HoldUnknown(NotFound):
    """No hold under that id is known at this terminal."""

    type = PROBLEM_PREFIX + "hold-unknown"


class Conflict(LoyaltyError):
    """The call contradicts what is recorded."""

    type = PROBLEM_PREFIX + "conflict"
    status = 409


class ReceiptConflict(Conflict):
    """The receipt key is taken by a request with other content; the text shows what is recorded."""

    type = PROBLEM_PREFIX + "receipt-conflict"


class HoldNotOpen(Conflict):
    """The hold was already spent by a sale or released."""

    type = PROBLEM_PREFIX + "hold-not-open"


class TrainingMismatch(Conflict):
    """A training hold met a real sale, or the other way round."""

    type = PROBLEM_PREFIX + "training-mismatch"


class RedemptionRefused(LoyaltyError):
    """The points cannot be redeemed here and now; the sale itself may go on without the reward."""

    type = PROBLEM_PREFIX + "redemption-refused"
    status = 409


class InsufficientPoints(RedemptionRefused):
    """Neither central nor the grants at this terminal cover the points."""

    type = PROBLEM_PREFIX + "insufficient-points"


class OfflineCapExceeded(RedemptionRefused):
    """A cap of the programme for redemption without central is reached."""

    type = PROBLEM_PREFIX + "offline-cap-exceeded"


class RewardUnavailable(RedemptionRefused):
    """The programme has no such reward, or the basket does not reach it."""

    type = PROBLEM_PREFIX + "reward-unavailable"


class ReversalRefused(LoyaltyError):
    """More would be returned than was sold, or the sale is already reversed."""

    type = PROBLEM_PREFIX + "reversal-refused"
    status = 409


class Busy(LoyaltyError):
    """A queue of the agent is full; nothing was recorded: try again shortly with the same key."""

    type = PROBLEM_PREFIX + "busy"
    status = 503


class JournalUnavailable(LoyaltyError):
    """The journal cannot be written; the shop sells on and records the sale later."""

    type = PROBLEM_PREFIX + "journal-unavailable"
    status = 503


class PrinterUnavailable(LoyaltyError):
    """No printer serves this register, or its spool is full."""

    type = PROBLEM_PREFIX + "printer-unavailable"
    status = 503


class ScannerUnavailable(LoyaltyError):
    """No scanner of that name serves this register, or it is offline: plug it in, or key the code in."""

    type = PROBLEM_PREFIX + "scanner-unavailable"
    status = 503


class ScannerCommandRefused(LoyaltyError):
    """The scanner does not do this command, refused it, or did not answer; scans go on as they were."""

    type = PROBLEM_PREFIX + "scanner-command-refused"
    status = 409


class AgentFailure(LoyaltyError):
    """The agent failed in a way it has no name for; its log has the request id."""

    type = PROBLEM_PREFIX + "agent-failure"


def error_class(problem_type: str) -> type[LoyaltyError]:
    """Return the one class for a problem `type`; `AgentFailure` for a type of a newer agent."""
    return _classes_by_type(LoyaltyError).get(problem_type, AgentFailure)


def _classes_by_type(root: type[LoyaltyError]) -> dict[str, type[LoyaltyError]]:
    found = {root.type: root}
    for child in root.__subclasses__():
        found |= _classes_by_type(child)
    return found
