"""Whom a client asks, in what its flows and readings need: words for the texts, the errors, the limits. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty_sdk.errors import AgentFailure, AgentUnreachable, CentralFailure, CentralUnreachable, LoyaltyError

__all__ = ["Peer", "agent_peer", "central_peer"]

# A quote holds the basket that was asked about, which is at most `local.BODY_BYTES_MAX`.
AGENT_ANSWER_BYTES_MAX = 4_000_000
CENTRAL_ANSWER_BYTES_MAX = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The program at the other end.

    `noun` and `name` say what it is, as in "no agent" and "the agent". `remedy` says how it is brought to answer. With
    `gateway` a load balancer may stand before it, whose 502, 503 and 504 are no problem documents.
    """

    noun: str
    name: str
    address: str
    remedy: str
    unreachable: type[LoyaltyError]
    failure: type[LoyaltyError]
    answer_bytes_max: int
    gateway: bool


def agent_peer(address: str, remedy: str) -> Peer:
    """Return the terminal's agent at an address."""
    return Peer(
        noun="agent",
        name="the agent",
        address=address,
        remedy=remedy,
        unreachable=AgentUnreachable,
        failure=AgentFailure,
        answer_bytes_max=AGENT_ANSWER_BYTES_MAX,
        gateway=False,
    )


def central_peer(address: str, remedy: str) -> Peer:
    """Return central at an address."""
    return Peer(
        noun="central",
        name="central",
        address=address,
        remedy=remedy,
        unreachable=CentralUnreachable,
        failure=CentralFailure,
        answer_bytes_max=CENTRAL_ANSWER_BYTES_MAX,
        gateway=True,
    )
