"""Law 1 with a real process: whatever was acknowledged before a SIGKILL is in the journal, once."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from loyalty_sdk.envelope import SaleBody
from sync import identity as identities
from tests.support.terminal_memory import TerminalMemory

KILLS = 8
ROOT = Path(__file__).parents[3]


def sell_until_killed(identity_file: Path, journal: Path, first_number: int, sales: int) -> list[int]:
    """Kill the process after it acknowledged so many sales; return every number that came out of it."""
    command = [sys.executable, "-m", "tests.integration.sync.selling_process"]
    process = subprocess.Popen(
        [*command, str(identity_file), str(journal), str(first_number)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with process.stdout as lines:
        acknowledged = [int(next(lines)) for _ in range(sales)]
        process.kill()
        acknowledged += [int(line) for line in lines if line.endswith("\n")]
    process.wait()
    return acknowledged


def test_law_1_acknowledged_sales_survive_kills_exactly_once(tmp_path: Path) -> None:
    memory = TerminalMemory(path=tmp_path / "journal.db")
    memory.store.close()
    identity_file = tmp_path / "identity.json"
    identities.write(identity_file, memory.identity)
    acknowledged: list[int] = []
    chance = random.Random(2)
    for _ in range(KILLS):
        # The number after the last acknowledged one may have been recorded: its retry must not record it twice.
        first = acknowledged[-1] + 1 if acknowledged else 1
        acknowledged += sell_until_killed(identity_file, tmp_path / "journal.db", first, chance.randrange(1, 40))

    memory.store.open()
    recorded = [
        int(entry.receipt_key.number)
        for entry in memory.entries()
        if isinstance(entry.body, SaleBody) and entry.receipt_key is not None
    ]
    memory.check_chain()
    memory.store.close()
    assert len(set(recorded)) == len(recorded)
    assert set(acknowledged) <= set(recorded)
    # At most the sale under way at the last kill was recorded and not acknowledged.
    assert len(recorded) - len(acknowledged) <= 1
