"""Errors as they leave the local API: RFC 9457 problem documents."""

from __future__ import annotations

from starlette.responses import Response

from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import LoyaltyError

__all__ = ["problem_response"]


def problem_response(error: LoyaltyError, request_id: str) -> Response:
    """Return the problem document of an error."""
    document = {
        "type": error.type,
        "title": type(error).__name__,
        "status": error.status,
        "detail": error.detail,
        "request_id": request_id,
    }
    return Response(
        dumps(document),
        status_code=error.status,
        media_type="application/problem+json",
        headers={"Loyalty-Request-Id": request_id},
    )
