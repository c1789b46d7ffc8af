"""Online calls to central while a customer waits: identify and grants, each within a deadline.

A central that does not answer is left alone for a few seconds after each try, so that a dead network costs one short
wait now and then and not one for every card.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpx

from loyalty_sdk.protocol import GrantRequest, IdentifyRequest, MemberAnswer
from sync.central import Call, CentralFailure, CentralRefused, CentralUnreachable, json_call, parse, receive_async
from sync.exchange import Exchange

__all__ = ["CentralLine"]

PROBE_S = 5


class CentralLine:
    """The agent's line to central for questions that a customer waits on."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        token: str,
        exchange: Exchange,
        deadline_ms: int,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._client = client
        self._token = token
        self._exchange = exchange
        self._deadline_s = deadline_ms / 1000
        self._now = now
        self._monotonic_s = monotonic_s
        self._quiet_until_s = 0.0
        self._exchange_lost_it_too = False

    async def identify(self, request: IdentifyRequest) -> MemberAnswer:
        """Ask who an alias is. Raises CentralFailure."""
        return await self._ask(json_call("POST", "/v1/members/identify", request))

    async def grant(self, request: GrantRequest) -> MemberAnswer:
        """Ask for points for one redemption. Raises CentralFailure."""
        return await self._ask(json_call("POST", "/v1/grants", request))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, call: Call) -> MemberAnswer:
        if self._is_left_alone():
            raise CentralUnreachable("central did not answer a moment ago")
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await receive_async(self._client, call.request(self._client, self._token))
            member = parse(MemberAnswer, answer, self._now())
        except TimeoutError:
            self._leave_alone()
            raise CentralUnreachable(f"central did not answer within {self._deadline_s} s") from None
        except CentralRefused as error:
            if is_overloaded(error):
                self._leave_alone()
            else:
                self._exchange.reached()
            raise
        except CentralFailure:
            self._leave_alone()
            raise
        self._exchange.reached()
        return member

    def _leave_alone(self) -> None:
        self._quiet_until_s = self._monotonic_s() + PROBE_S
        self._exchange_lost_it_too = not self._exchange.online

    def _is_left_alone(self) -> bool:
        """Whether central failed a moment ago, and the exchange has not come through to it since."""
        if self._monotonic_s() >= self._quiet_until_s:
            return False
        if not self._exchange.online:
            self._exchange_lost_it_too = True
        return not (self._exchange.online and self._exchange_lost_it_too)


def is_overloaded(error: CentralRefused) -> bool:
    """Whether central asks to be left alone; that ends no pause of the exchange."""
    return error.status == 429 or error.status >= 500


def is_refusal(error: CentralFailure, problem: str) -> bool:
    """Whether central answered, and with this problem."""
    return isinstance(error, CentralRefused) and error.problem == problem
