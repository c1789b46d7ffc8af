"""A process that records sales in a loop and prints each acknowledged receipt number, until it is killed.

python -m tests.integration.sync.selling_process IDENTITY_FILE JOURNAL FIRST_NUMBER
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from loyalty_sdk.basket import Tender
from loyalty_sdk.local import SaleRequest
from loyalty_sdk.model import Context
from sync import identity as identities
from sync.host import Host
from sync.sales import RecordSale, request_digest
from sync.store import Store
from sync.writer import Writer
from tests.support.terminal_memory import basket_of

CONTEXT = Context(store="store-1", register="lane-1", cashier="ana", business_date=date(2026, 5, 4))


def main(identity_file: str, journal: str, first_number: str) -> None:
    """Sell for ever."""
    identity = identities.read(Path(identity_file))
    host = Host(now=lambda: datetime.now(UTC), random_bytes=os.urandom)
    store = Store(Path(journal), identity, host, "test")
    store.open()
    writer = Writer(store)
    writer.start()
    number = int(first_number)
    while True:
        request = SaleRequest(
            context=CONTEXT,
            receipt_number=str(number),
            basket=basket_of(1_000),
            tenders=(Tender(kind="cash", amount_minor=1_000),),
        )
        digest = request_digest(identity, request)
        writer.call(RecordSale(request=request, digest=digest, entry_id=host.new_id()))
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
