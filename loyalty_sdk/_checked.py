"""Lets what the dataclasses and the codec refuse reach the caller as one error of the SDK's tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from loyalty_sdk.errors import InvalidRequest

__all__ = ["checked"]

P = ParamSpec("P")
T = TypeVar("T")


def checked(build: Callable[P, T]) -> Callable[P, T]:
    """Return `build` with every ValueError, TypeError and ArithmeticError turned into InvalidRequest."""

    @wraps(build)
    def careful(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return build(*arguments, **named)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise InvalidRequest(f"{build.__name__}: {error}") from error

    return careful
