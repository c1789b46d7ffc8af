"""The errors of the SDK, one class for each problem `type` of the local API and of central's.

    LoyaltyError
    ├── AgentUnreachable            the agent does not answer; nothing was recorded
    ├── CentralUnreachable          central does not answer; nothing was recorded
    ├── OutcomeUnknown              it may have been recorded: retry with the same key
    ├── InvalidRequest              the call itself is wrong
    │   ├── BasketInvalid           lines, total or tenders do not add up
    │   ├── CurrencyMismatch        the programme counts in another currency
    │   ├── ScanUnreadable          the scan holds no usable code
    │   ├── MethodNotAllowed        there is no such call at that address
    │   ├── BodyTooLarge            central takes less at a time
    │   ├── EncodingRefused         central takes bodies only as they are
    │   ├── ProgrammeInvalid        the programme document is not in order
    │   └── PreconditionRequired    a change names the revision that it changes
    ├── AccessRefused               token, key, Host or Origin was not accepted
    │   ├── ScopeMissing            the key may not do this
    │   ├── TerminalRevoked         the terminal may only upload, until it is enrolled anew
    │   └── CodeInvalid             the enrolment code is wrong, used or expired
    ├── NotFound
    │   ├── ReceiptUnknown          no sale under that receipt key is known here
    │   ├── HoldUnknown             no hold under that id is known here
    │   └── AliasUnknown            the card belongs to no member
    ├── Conflict
    │   ├── ReceiptConflict         the receipt key already holds something else
    │   ├── HoldNotOpen             the hold was spent or released before
    │   ├── TrainingMismatch        training and real sales do not mix
    │   ├── IdempotencyConflict     the idempotency key was used for another call
    │   ├── PreconditionFailed      somebody else changed it in between
    │   ├── Fork                    central holds another life of the journal
    │   └── EpochChanged            central was restored from a backup
    ├── RedemptionRefused
    │   ├── InsufficientPoints      neither central nor a grant covers the points
    │   ├── OfflineCapExceeded      a cap of the programme for offline redemption
    │   ├── RewardUnavailable       no such reward, or the basket does not reach it
    │   └── Recovering              a restored central grants nothing until every terminal has returned
    ├── ReversalRefused             more returned than sold, or already reversed
    ├── Busy                        a queue is full: try again shortly
    │   └── TooManyRequests         one caller asked more than its share
    ├── JournalUnavailable          the journal cannot be written (disk full, forked)
    ├── PrinterUnavailable          no printer for this register, or its spool is full
    ├── ScannerUnavailable          no scanner for this register, or it is offline
    ├── ScannerCommandRefused       the scanner does not do this command
    ├── AgentFailure                the agent failed in a way it has no name for
    └── CentralFailure              central failed in a way it has no name for

Every text names the remedy. `type` is the stable URN of RFC 9457, `status` the HTTP status it travels under, and
`request_id` names the call in the agent's log. `idempotency_key` is there where a write at central did not come to an
end: repeated under it, the same write counts once. `retry_after_s` is how long the other side wants to be left alone.
`extra` is what else the problem document told, as the `findings` of an invalid programme.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "PROBLEM_PREFIX",
    "AccessRefused",
    "AgentFailure",
    "AgentUnreachable",
    "AliasUnknown",
    "BasketInvalid",
    "BodyTooLarge",
    "Busy",
    "CentralFailure",
    "CentralUnreachable",
    "CodeInvalid",
    "Conflict",
    "CurrencyMismatch",
    "EncodingRefused",
    "EpochChanged",
    "Fork",
    "HoldNotOpen",
    "HoldUnknown",
    "IdempotencyConflict",
    "InsufficientPoints",
    "InvalidRequest",
    "JournalUnavailable",
    "LoyaltyError",
    "MethodNotAllowed",
    "NotFound",
    "OfflineCapExceeded",
    "OutcomeUnknown",
    "PreconditionFailed",
    "PreconditionRequired",
    "PrinterUnavailable",
    "ProgrammeInvalid",
    "ReceiptConflict",
    "ReceiptUnknown",
    "Recovering",
    "RedemptionRefused",
    "ReversalRefused",
    "RewardUnavailable",
    "ScanUnreadable",
    "ScannerCommandRefused",
    "ScannerUnavailable",
    "ScopeMissing",
    "TerminalRevoked",
    "TooManyRequests",
    "TrainingMismatch",
    "error_class",
]

PROBLEM_PREFIX = "urn:loyalty:problem:"


class LoyaltyError(Exception):
    """Base of every error that the SDK raises; `str()` gives one sentence that names the remedy."""

    type: ClassVar[str] = PROBLEM_PREFIX + "error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        detail: str,
        *,
        request_id: str | None = None,
        idempotency_key: str | None = None,
        retry_after_s: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.request_id = request_id
        self.idempotency_key = idempotency_key
        self.retry_after_s = retry_after_s
        self.extra: Mapping[str, Any] = extra or {}


class AgentUnreachable(LoyaltyError):
    """The agent did not answer, and the call changes nothing: sell on, and record the sale later."""

    type = PROBLEM_PREFIX + "agent-unreachable"
    status = 503


class CentralUnreachable(LoyaltyError):
    """Central did not answer, and the call changed nothing: try again later."""

    type = PROBLEM_PREFIX + "central-unreachable"
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


class ProgrammeInvalid(InvalidRequest):
    """The programme document is not in order; the text names the first place and what would be right."""

    type = PROBLEM_PREFIX + "programme-invalid"


class ScanUnreadable(InvalidRequest):
    """The scan is empty, too long or holds no printable code: scan again or key it in."""

    type = PROBLEM_PREFIX + "scan-unreadable"


class MethodNotAllowed(InvalidRequest):
    """There is no such call at that address; SDK and central are perhaps of different releases."""

    type = PROBLEM_PREFIX + "method-not-allowed"
    status = 405


class BodyTooLarge(InvalidRequest):
    """The body exceeds what central takes at once: send less at a time."""

    type = PROBLEM_PREFIX + "body-too-large"
    status = 413


class EncodingRefused(InvalidRequest):
    """The body was encoded on its way: switch compression off in the proxy."""

    type = PROBLEM_PREFIX + "encoding-refused"
    status = 415


class PreconditionRequired(InvalidRequest):
    """A change must name the revision that it changes: read first, and pass on what was read."""

    type = PROBLEM_PREFIX + "precondition-required"
    status = 428


class AccessRefused(LoyaltyError):
    """The token or key, the Host or the Origin of the call was not accepted."""

    type = PROBLEM_PREFIX + "access-refused"
    status = 401


class ScopeMissing(AccessRefused):
    """The key's scope does not reach so far; ask an administrator for a key with more."""

    type = PROBLEM_PREFIX + "scope-missing"
    status = 403


class TerminalRevoked(AccessRefused):
    """The terminal was revoked: it may only upload, until it is enrolled anew."""

    type = PROBLEM_PREFIX + "terminal-revoked"
    status = 403


class CodeInvalid(AccessRefused):
    """The enrolment code is wrong, used or expired: make a new one."""

    type = PROBLEM_PREFIX + "code-invalid"
    status = 403


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


class AliasUnknown(NotFound):
    """The card, phone number or other alias belongs to no member."""

    type = PROBLEM_PREFIX + "alias-unknown"


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


class IdempotencyConflict(Conflict):
    """The idempotency key was used for a call with other content: take a new key for a new call."""

    type = PROBLEM_PREFIX + "idempotency-conflict"
    status = 422


class PreconditionFailed(Conflict):
    """Somebody else changed it since it was read: read it again, and decide anew."""

    type = PROBLEM_PREFIX + "precondition-failed"
    status = 412


class Fork(Conflict):
    """Central holds another life of this journal: the terminal reports and begins a new one."""

    type = PROBLEM_PREFIX + "fork"


class EpochChanged(Conflict):
    """Central was restored from a backup: the terminal reports, and returns what central lacks."""

    type = PROBLEM_PREFIX + "epoch-changed"


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


class Recovering(RedemptionRefused):
    """Central was restored and grants nothing yet; grants that were issued before stay good."""

    type = PROBLEM_PREFIX + "recovering"


class ReversalRefused(LoyaltyError):
    """More would be returned than was sold, or the sale is already reversed."""

    type = PROBLEM_PREFIX + "reversal-refused"
    status = 409


class Busy(LoyaltyError):
    """A queue is full; nothing was recorded: try again shortly with the same key."""

    type = PROBLEM_PREFIX + "busy"
    status = 503


class TooManyRequests(Busy):
    """This caller asked more than its share; nothing was done: go on after the pause that central names."""

    type = PROBLEM_PREFIX + "too-many-requests"
    status = 429


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


class CentralFailure(LoyaltyError):
    """Central failed in a way it has no name for; its log says more."""

    type = PROBLEM_PREFIX + "central-failure"


def error_class(problem_type: str, otherwise: type[LoyaltyError] = AgentFailure) -> type[LoyaltyError]:
    """Return the one class for a problem `type`; `otherwise` for a type of a newer agent or central."""
    return _classes_by_type(LoyaltyError).get(problem_type, otherwise)


def _classes_by_type(root: type[LoyaltyError]) -> dict[str, type[LoyaltyError]]:
    found = {root.type: root}
    for child in root.__subclasses__():
        found |= _classes_by_type(child)
    return found
