"""Every way in which central says no: RFC 9457 problems with the types of docs/protocol.md. No HTTP here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty_sdk.errors import PROBLEM_PREFIX

__all__ = ["STATUS_BY_TYPE", "Problem", "Refused", "refuse"]

STATUS_BY_TYPE: Mapping[str, int] = {
    "invalid-request": 422,
    "access-refused": 401,
    "scope-missing": 403,
    "terminal-revoked": 403,
    "code-invalid": 403,
    "alias-unknown": 404,
    "not-found": 404,
    "method-not-allowed": 405,
    "insufficient-points": 409,
    "conflict": 409,
    "fork": 409,
    "epoch-changed": 409,
    "recovering": 409,
    "precondition-failed": 412,
    "body-too-large": 413,
    "encoding-refused": 415,
    "idempotency-conflict": 422,
    "programme-invalid": 422,
    "precondition-required": 428,
    "too-many-requests": 429,
    "central-failure": 500,
    "busy": 503,
    "outcome-unknown": 504,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A refusal as data: the last part of its type, and one sentence that names the remedy.

    A function returns it, instead of raising `Refused`, where what it wrote is to be kept.
    """

    name: str
    detail: str
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The stable URN of the problem."""
        return PROBLEM_PREFIX + self.name

    @property
    def status(self) -> int:
        """The HTTP status that it travels under."""
        return STATUS_BY_TYPE[self.name]


class Refused(Exception):
    """Raised where the transaction is to be undone; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def refuse(name: str, detail: str, **extra: object) -> Refused:
    """Return the exception to raise for a problem of that name."""
    return Refused(Problem(name=name, detail=detail, extra=extra))
