"""A POS program of its own: `python -m bench.pos ADDRESS TOKEN` prints each scan with the time at which it got it."""

from __future__ import annotations

import sys
import time

from bench.terminal import CONTEXT
from loyalty_sdk.model import Scan
from loyalty_sdk.till import Till

__all__ = ["listen"]


def listen(address: str, token: str) -> None:
    """Print `code nanoseconds` for each scan, by the machine's monotonic clock, until the process ends."""
    till = Till(
        store=CONTEXT.store,
        register=CONTEXT.register,
        cashier=CONTEXT.cashier,
        business_date=CONTEXT.business_date,
        agent=address,
        token=token,
    )
    for event in till.scans():
        if isinstance(event, Scan):
            print(event.data, time.monotonic_ns(), flush=True)


if __name__ == "__main__":
    listen(sys.argv[1], sys.argv[2])
