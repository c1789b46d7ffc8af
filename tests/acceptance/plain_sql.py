"""Replays a file of invoices on PostgreSQL and compares every balance with what plain SQL makes of the file's lines.

Of the project it takes how a cancellation is linked to its sale, which is the replay's reading of the file and no rule.
Points and balances come from one statement over the lines, which knows nothing but the programme of the replay: a point
for each whole unit. `python -m tests.acceptance.plain_sql FILE` does it with the whole file (`make replay DATA=FILE`).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy.engine import URL

from terminal_agent.replay.linking import link_cancellations
from terminal_agent.replay.receipts import group_rows
from terminal_agent.replay.records import read_records
from terminal_agent.replay.rows import read_rows
from terminal_agent.replay.settings import FileFormat
from tests.support.postgresql import new_server

__all__ = ["Compared", "replay_and_compare"]

PROGRAM = Path(sys.executable).with_name("loyalty-agent")
SHOPS = ("--stores", "1", "--terminals", "2", "--registers", "2")

SCRATCH = """
CREATE TEMPORARY TABLE lines (invoice text, line integer, member text, quantity numeric, price numeric);
CREATE TEMPORARY TABLE came_back (cancellation text, invoice text, line integer, quantity numeric)
"""
# A line that came back in part is worth its share, rounded down; so is every receipt. What is taken from who has
# nothing is owed, and repaid by what is earned before or after.
BALANCES = """
WITH kept AS (
    SELECT invoice, line, member, lines.quantity, round(lines.quantity * price * 100) AS amount_minor,
           lines.quantity - coalesce(sum(came_back.quantity), 0) AS quantity_kept
    FROM lines LEFT JOIN came_back USING (invoice, line)
    WHERE invoice NOT LIKE 'C%'
    GROUP BY invoice, line, member, lines.quantity, price
), receipts AS (
    SELECT member, greatest(0, floor(sum(floor(amount_minor * quantity_kept / quantity)) / 100)) AS points
    FROM kept GROUP BY invoice, member
    UNION ALL
    SELECT member, -greatest(0, floor(sum(round(-quantity * price * 100)) / 100))
    FROM lines WHERE invoice LIKE 'C%' AND invoice NOT IN (SELECT cancellation FROM came_back)
    GROUP BY invoice, member
)
SELECT member, greatest(sum(points), 0) AS available, greatest(-sum(points), 0) AS owed
FROM receipts WHERE member <> '' GROUP BY member
"""


class Balance(NamedTuple):
    """What a member has and owes."""

    available: int
    owed: int


class Compared(NamedTuple):
    """What the replay said, and the members whose balance differs: central's, and that of the SQL."""

    replay: dict[str, Any]
    members: int
    differing: dict[str, tuple[Balance, Balance]]


def replay_and_compare(file: Path, database: URL, folder: Path, *options: str) -> Compared:
    """Run the command on an empty database and compare. Raises CalledProcessError where it finds something wrong."""
    address = database.set(drivername="postgresql").render_as_string(hide_password=False)
    results = ["--balances", str(folder / "balances.csv"), "--rejects", str(folder / "rejects.csv"), "--json"]
    words = [str(PROGRAM), "replay", str(file), *SHOPS, *options, "--directory", str(folder / "r"), *results]
    done = subprocess.run(
        [*words, "--central-database", address], stdout=subprocess.PIPE, text=True, check=True, stdin=subprocess.DEVNULL
    )
    said = json.loads(done.stdout.splitlines()[-1])
    held = {row["member"]: Balance(int(row["available"]), int(row["owed"])) for row in _rows(folder / "balances.csv")}
    rejected = {row["invoice"] for row in _rows(folder / "rejects.csv")}
    sold = said["sales"] + said["returns"] + len(rejected)
    expected = asyncio.run(_computed(address, _lines(file, rejected, sold), _links(file, sold)))
    nothing = Balance(0, 0)
    pairs = {one: (held.get(one, nothing), expected.get(one, nothing)) for one in held.keys() | expected.keys()}
    return Compared(said, len(held), {member: pair for member, pair in pairs.items() if pair[0] != pair[1]})


async def _computed(
    address: str, lines: Sequence[tuple[Any, ...]], links: Sequence[tuple[Any, ...]]
) -> Mapping[str, Balance]:
    connection = await asyncpg.connect(address)
    try:
        await connection.execute(SCRATCH)
        await connection.copy_records_to_table("lines", records=lines)
        await connection.copy_records_to_table("came_back", records=links)
        rows = await connection.fetch(BALANCES)
    finally:
        await connection.close()
    return {row["member"]: Balance(int(row["available"]), int(row["owed"])) for row in rows}


def _lines(file: Path, rejected: set[str], limit: int) -> list[tuple[Any, ...]]:
    """Invoice, number of the line in it, member, quantity and price of each line of the first invoices."""
    numbers: dict[str, count[int]] = {}
    found = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            invoice = row["InvoiceNo"]
            if invoice not in numbers and len(numbers) == limit:
                continue
            number = next(numbers.setdefault(invoice, count(1)))
            if invoice not in rejected:
                quantity, price = Decimal(row["Quantity"]), Decimal(row["UnitPrice"])
                found.append((invoice, number, row["CustomerID"], quantity, price))
    return found


def _links(file: Path, limit: int) -> list[tuple[Any, ...]]:
    """Cancellation, sale, line of the sale and quantity of all that came back of a sale."""
    read = FileFormat()
    records = read_records(file, encoding=read.encoding, delimiter=read.delimiter)
    rows = read_rows(records, read, minor_digits=2)
    prefix = read.cancellation_prefix
    receipts = group_rows(rows, currency="GBP", cancellation_prefix=prefix, limit=limit).receipts
    return [
        (step.receipt.invoice, step.original.invoice, line.line, line.quantity)
        for step in link_cancellations(receipts)
        if step.original is not None
        for line in step.lines or ()
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main(arguments: Iterable[str] | None = None) -> int:
    """Replay and compare; the status is 1 where a balance differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.plain_sql", description=__doc__)
    parser.add_argument("file", type=Path, help="the gzipped CSV file, in the form of UCI Online Retail")
    parser.add_argument("--limit", metavar="N", help="the first N invoices only (default: all)")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    limit = [] if options.limit is None else ["--limit", options.limit]
    with new_server() as server, server.database() as url, tempfile.TemporaryDirectory() as folder:
        try:
            found = replay_and_compare(options.file.absolute(), url, Path(folder), *limit)
        except subprocess.CalledProcessError as error:
            print(error.stdout, file=sys.stderr)
            return 1
    print(json.dumps(found.replay))
    for member, (held, computed) in list(found.differing.items())[:20]:
        print(f"member {member}: central has {held}, the SQL gives {computed}")
    print(f"{found.members:,} members, {len(found.differing):,} with another balance than the SQL's")
    return 1 if found.differing else 0


if __name__ == "__main__":
    sys.exit(main())
