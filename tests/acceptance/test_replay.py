"""`loyalty-agent replay` as a user runs it: real processes, outages and kills, and nothing lost, doubled or different.

The public data set is not part of the repository. Its first 500 invoices are replayed where LOYALTY_REPLAY_DATA names
the file, or where a folder beside the repository holds it.
"""

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.acceptance.plain_sql import replay_and_compare
from tests.support.postgresql import Server

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("loyalty-agent")
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
CLEAN = {"entries_held": 0, "entries_rejected": 0, "entries_lost": 0, "entries_duplicated": 0, "balances_equal": True}


def replay(folder: Path, file: Path, *options: str) -> dict[str, Any]:
    """Run the command to its end and return its line of JSON; it must find nothing wrong."""
    words = [str(PROGRAM), "replay", str(file), "--directory", str(folder / "r"), "--json", *options]
    done = subprocess.run(
        words,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def small_shop(path: Path) -> Path:
    """A month of a small shop as real files write it: 120 sales, some taken back, and what makes no sense."""
    random = Random(20)
    lines = [HEADER]
    for number in range(120):
        member = random.choice(["m1", "m2", "m3", "m4", "m5", ""])
        price = random.choice(["0.85", "2.55", "45.00", "120.00", "1.659"])
        date = f"2011-01-{number // 4 + 1:02} 1{number % 4}:30:00"
        lines += [f"{500 + number},{sku},5£ BOX,{sku},{date},{price},{member},UK" for sku in range(1, 4)]
        if number % 7 == 0:
            lines.append(f"C{500 + number},2,5£ BOX,-1,{date},{price},{member},UK")
    lines += [
        "900,1,COUNT,-20,2011-01-31 09:00:00,0,,UK",
        "901,1,BAD,x,2011-01-31 09:00:00,1,m1,UK",
        "901,2,GOOD,1,2011-01-31 09:00:00,1,m1,UK",
        "C902,99,NEVER SOLD,-1,2011-01-31 09:00:00,8.20,m2,UK",
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_small_shop_with_outage_kills_and_redemptions(tmp_path: Path) -> None:
    results = ["--balances", "balances.csv", "--rejects", "rejects.csv"]
    shops = ["--stores", "2", "--terminals", "1", "--registers", "2"]
    faults = ["--outages", "1", "--kills", "2", "--redeem"]
    found = replay(tmp_path, small_shop(tmp_path / "shop.csv.gz"), *shops, *faults, *results)
    assert {key: found[key] for key in CLEAN} == CLEAN
    assert (found["sales"], found["returns"], found["rejects"], found["agent_kills"]) == (121, 19, 2, 2)
    assert found["outage_seconds"] > 0
    assert found["redemptions"] > 0
    assert [row["line"] for row in rows_of(tmp_path / "rejects.csv")] == ["381", "382"]
    balances = rows_of(tmp_path / "balances.csv")
    assert [row["member"] for row in balances] == ["m1", "m2", "m3", "m4", "m5"]
    net = sum(int(row["available"]) - int(row["owed"]) for row in balances)
    assert net == found["points_issued"] - found["points_redeemed"]


def data_set() -> Path:
    """The public data set, or a skip that says what is missing."""
    named = os.environ.get("LOYALTY_REPLAY_DATA")
    if named:
        return Path(named)
    found = sorted(ROOT.parent.glob("shared/data/online_retail*.csv.gz"))
    if not found:
        pytest.skip("the UCI Online Retail data set is not here; LOYALTY_REPLAY_DATA names its CSV file")
    return found[0]


def test_the_first_500_invoices_of_the_public_data_set_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    """Every balance is the one that plain SQL computes from the lines of the file: see plain_sql."""
    faults = ["--limit", "500", "--outages", "1", "--kills", "2"]
    with postgresql.database() as url:
        compared = replay_and_compare(data_set().absolute(), url, tmp_path, *faults)
    found = compared.replay
    assert {key: found[key] for key in CLEAN} == CLEAN
    assert (found["sales"] + found["returns"], found["rejects"], found["redemptions"]) == (500, 0, 0)
    assert found["agent_kills"] == 2
    assert compared.members > 100
    assert compared.differing == {}
