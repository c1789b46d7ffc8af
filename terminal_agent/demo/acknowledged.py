"""The POS's own list of every receipt that was acknowledged to it: one JSON line each, on the disk before it goes on.

The list is the yardstick of the check. It holds what the POS sold and what the agent acknowledged, never points that
the agent answered. One writer; the lines' format is that of `terminal_agent.demo.oracle`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from loyalty_sdk.basket import Basket
from loyalty_sdk.codec import dumps
from loyalty_sdk.model import ReceiptKey, ReturnLine, ReversalKind

__all__ = ["AcknowledgedList", "read_acknowledged", "reversal_line", "sale_line"]

Json = dict[str, Any]


def sale_line(
    receipt: ReceiptKey,
    basket: Basket,
    *,
    member: str | None = None,
    reward: tuple[str, int] | None = None,
    occurred_at: datetime | None = None,
) -> Json:
    """Make the line of an acknowledged sale: `member` is the alias, `reward` the id and how often it was redeemed."""
    return {
        "kind": "sale",
        "receipt": str(receipt),
        "member": member,
        "basket": basket,
        "reward": None if reward is None else {"id": reward[0], "count": reward[1]},
        "occurred_at": occurred_at,
    }


def reversal_line(
    receipt: ReceiptKey,
    kind: ReversalKind,
    *,
    original: ReceiptKey | None = None,
    lines: Iterable[ReturnLine] | None = None,
    member: str | None = None,
    basket: Basket | None = None,
) -> Json:
    """Make the line of an acknowledged void or return; `lines` None means all that was left."""
    return {
        "kind": "reversal",
        "reversal": kind,
        "receipt": str(receipt),
        "original": None if original is None else str(original),
        "lines": None if lines is None else list(lines),
        "member": member,
        "basket": basket,
    }


class AcknowledgedList:
    """Appends lines to the list; a torn last line of an earlier life is cut off first, so that no two lines merge."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._lock = Lock()
        self._file.truncate(_whole_length(path))

    def append(self, line: Json) -> None:
        """Append one line; when this returns, it has reached the disk."""
        data = dumps(line) + b"\n"
        with self._lock:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_acknowledged(path: Path) -> list[Json]:
    """Read the list; a last line without its line feed was torn by a crash and is left out."""
    whole = path.read_bytes()[: _whole_length(path)]
    return [json.loads(line) for line in whole.splitlines()]


def _whole_length(path: Path) -> int:
    """The length of the file up to and including its last line feed, in bytes."""
    return path.read_bytes().rfind(b"\n") + 1
