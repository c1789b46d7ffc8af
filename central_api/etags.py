"""ETags: the digest of all that a view shows, so that every change of it gives another. No HTTP here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TypeVar

from loyalty_sdk.codec import dumps
from loyalty_sdk.office import MemberView, ProgrammeView

__all__ = ["names_etag", "tagged"]

ETAG_LENGTH = 32

V = TypeVar("V", MemberView, ProgrammeView)


def tagged(view: V) -> V:
    """Return a view with its `etag`."""
    return replace(view, etag=hashlib.sha256(dumps(view)).hexdigest()[:ETAG_LENGTH])


def names_etag(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match names an etag: `*`, or one of a list, with or without quotes."""
    names = (part.strip().removeprefix("W/").strip('"') for part in header.split(","))
    return any(name in ("*", etag) for name in names)
