"""What both handles to a register are made with: who calls, where the agent is, and ids for what is repeated."""

from __future__ import annotations

import os
from datetime import date, datetime

from loyalty_sdk._connection import Settings
from loyalty_sdk._effects import Effects
from loyalty_sdk._endpoint import resolve_endpoint
from loyalty_sdk._flow import RetryPolicy
from loyalty_sdk.errors import InvalidRequest
from loyalty_sdk.ids import uuid7
from loyalty_sdk.model import Context

__all__ = ["TIMEOUT_S", "changed_context", "context_of", "new_id", "settings_of"]

TIMEOUT_S = 5.0


def context_of(store: str, register: str, cashier: str, business_date: date, training: bool) -> Context:
    """Return who calls. Raises InvalidRequest."""
    if not isinstance(business_date, date) or isinstance(business_date, datetime):
        raise InvalidRequest("business_date is a datetime.date, as date.today()")
    try:
        return Context(store=store, register=register, cashier=cashier, business_date=business_date, training=training)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRequest(str(error)) from error


def changed_context(
    context: Context, cashier: str | None, business_date: date | None, training: bool | None
) -> Context:
    """Return who calls with some of it changed. Raises InvalidRequest."""
    return context_of(
        context.store,
        context.register,
        context.cashier if cashier is None else cashier,
        context.business_date if business_date is None else business_date,
        context.training if training is None else training,
    )


def settings_of(
    agent: str | None, token: str | None, timeout_s: float, retries: RetryPolicy | None, effects: Effects | None
) -> Settings:
    """Return where the agent is and how it is asked. Raises InvalidRequest."""
    if not 0 < timeout_s <= 3_600:
        raise InvalidRequest("timeout_s is a number of seconds above 0 and at most 3600")
    endpoint = resolve_endpoint(agent, token, os.environ)
    return Settings(place=endpoint, timeout_s=timeout_s, retries=retries or RetryPolicy(), effects=effects or Effects())


def new_id(effects: Effects) -> str:
    """Return a new UUIDv7."""
    return uuid7(effects.now(), effects.random_bytes)
