"""Faults that need a process of their own: a disk that is full or read-only, and calls that fail.

python -m tests.integration.sync.faulty_disk SCENARIO DIRECTORY, where DIRECTORY is empty. Each scenario is a function
that asserts; the process ends with status 0 where everything holds. `full` and `read_only` mount a small disk on
DIRECTORY, which needs a mount namespace of one's own (`unshare --mount`). The others need failing_disk.c preloaded.
"""

from __future__ import annotations

import ctypes
import errno
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from loyalty_sdk.errors import JournalUnavailable, OutcomeUnknown
from sync.answers import StoreAcknowledgement
from sync.pruning import Prune
from sync.reserve import Reserve
from sync.schema import PRAGMAS
from sync.store import StoreRefused
from tests.support.terminal_memory import MEMBER, TerminalMemory, basket_of

DISK = "6m"
RESERVE_BYTES = 512 * 1024
SALES_MAX = 5_000
RETRIES_MAX = 5
PLACES = 14


def full(directory: Path) -> None:
    """Sell until the disk is full, acknowledge and release on the reserve, and go on when there is room."""
    _mount(directory)
    memory = _memory(directory)
    hold, recorded = memory.hold(), _sell_until_full(memory, directory)
    assert "free space on it" in memory.store.trouble
    with pytest.raises(JournalUnavailable, match="free space on it"):
        memory.sell()
    assert _ids(memory) == recorded, "what was acknowledged is there, and nothing else"
    assert not _reserve(directory).exists(), "the reserve was given up"
    head = memory.scalar("SELECT max(seq) FROM entries")
    assert memory.run(StoreAcknowledgement(answer=memory.acknowledgement(head))) == head
    memory.release(hold)
    (directory / "filler").unlink()
    recorded.append(memory.sell().entry_id)
    assert memory.store.trouble == ""
    assert _reserve(directory).stat().st_size == RESERVE_BYTES, "the reserve is whole again"
    memory.reopen()
    assert _ids(memory) == recorded
    assert memory.scalar("SELECT count(*) FROM holds WHERE state = 'open'") == 0
    memory.store.close()


def full_at_the_start(directory: Path) -> None:
    """A till that starts on a full disk with its reserve in place opens; without it, it says what to do."""
    _mount(directory)
    memory = _memory(directory)
    recorded = [memory.sell().entry_id]
    memory.store.close()
    _fill(directory, leave=0)
    memory.store = memory.new_store()
    memory.store.open()
    assert _ids(memory) == recorded
    head = memory.scalar("SELECT max(seq) FROM entries")
    assert memory.run(StoreAcknowledgement(answer=memory.acknowledgement(head))) == head
    memory.store.close()
    _fill(directory, leave=0)
    store = memory.new_store()
    with pytest.raises(StoreRefused, match="has room"):
        store.open()
    (directory / "filler1").unlink()
    memory.store = memory.new_store()
    memory.store.open()
    memory.sell()
    assert not _reserve(directory).exists(), "there is room to sell, and none for a reserve"
    (directory / "filler").unlink()
    memory.run(Prune(retention=timedelta(days=30)))
    assert _reserve(directory).stat().st_size == RESERVE_BYTES, "the next tidying makes the reserve"
    assert len(memory.entries()) == 3
    memory.check_chain()
    memory.store.close()


def read_only(directory: Path) -> None:
    """A read-only disk is refused with its remedy, nothing of it changes, and the next start goes on."""
    _mount(directory)
    memory = _memory(directory)
    recorded = [memory.sell().entry_id]
    memory.store.close()
    before = (directory / "journal.db").read_bytes()
    _mount(directory, "remount,ro")
    with pytest.raises(StoreRefused, match="may be written"):
        memory.new_store().open()
    assert (directory / "journal.db").read_bytes() == before
    _mount(directory, "remount,rw")
    memory.store = memory.new_store()
    memory.store.open()
    assert _ids(memory) == recorded
    memory.sell()
    memory.store.close()


def failing_sync(directory: Path) -> None:
    """Every place where a commit or a checkpoint reaches the disk fails once."""
    _fail_everywhere(directory, b"s", errno.EIO)


def failing_write(directory: Path) -> None:
    """Every place where a page is written fails once."""
    _fail_everywhere(directory, b"w", errno.EIO)


def read_only_while_selling(directory: Path) -> None:
    """The file system turns read-only in the middle, as Linux does after an error, and comes back."""
    memory = _memory(directory)
    recorded = [memory.sell().entry_id]
    request = memory.sale_request(member_id=MEMBER)
    _fail(b"w", 0, 1_000_000, errno.EROFS)
    for _ in range(3):
        with pytest.raises((JournalUnavailable, OutcomeUnknown), match=r"record the sale later|same receipt key"):
            memory.run(memory.sale_command(request))
    _fail(b"w", 0, 0, 0)
    recorded.append(memory.run(memory.sale_command(request)).entry_id)
    assert _ids(memory) == recorded
    memory.check_chain()
    memory.store.close()


def _fail_everywhere(directory: Path, call: bytes, error: int) -> None:
    failed = unknown = 0
    with mock.patch("sync.database.PRAGMAS", (*PRAGMAS, "PRAGMA wal_autocheckpoint = 8")):
        for place in range(PLACES):
            folder = directory / str(place)
            folder.mkdir()
            memory = _memory(folder)
            recorded = [memory.sell(basket_of(100)).entry_id for _ in range(3)]
            _fail(call, place, 1, error)
            for _ in range(4):
                request = memory.sale_request(basket_of(*[100] * 30), member_id=MEMBER)
                entry_id, refusals = _sell_stubbornly(memory, request)
                recorded.append(entry_id)
                unknown += refusals
            failed += _shim().calls_failed()
            _fail(call, 0, 0, 0)
            assert _ids(memory) == recorded, "each sale once, in order"
            memory.reopen()
            assert _ids(memory) == recorded
            memory.check_chain()
            memory.store.close()
    assert failed > PLACES // 2, "the failures did not reach the journal"
    assert unknown > 0, "no caller heard of a failure"


def _sell_stubbornly(memory: TerminalMemory, request: object) -> tuple[str, int]:
    """Repeat under the same receipt key until the till answers; return the entry and how often it refused."""
    for refusals in range(RETRIES_MAX):
        (result,) = memory.results(memory.sale_command(request))  # type: ignore[arg-type]  # a SaleRequest
        if result.error is None:
            return result.value.entry_id, refusals
        assert isinstance(result.error, (OutcomeUnknown, JournalUnavailable)), repr(result.error)
    raise AssertionError("the till never recovered")


def _memory(directory: Path) -> TerminalMemory:
    patch = mock.patch("sync.store.Reserve", partial(Reserve, size_bytes=RESERVE_BYTES))
    patch.start()
    memory = TerminalMemory(path=directory / "journal.db")
    memory.store_programme()
    memory.know(400, memory.grant(300))
    return memory


def _ids(memory: TerminalMemory) -> list[str]:
    return [entry.id for entry in memory.entries() if entry.kind == "sale"]


def _reserve(directory: Path) -> Path:
    return directory / "journal.reserve"


def _sell_until_full(memory: TerminalMemory, directory: Path) -> list[str]:
    _fill(directory, leave=300 * 1024)
    recorded: list[str] = []
    for _ in range(SALES_MAX):
        (result,) = memory.results(memory.sale_command(memory.sale_request(member_id=MEMBER)))
        if result.error is not None:
            assert isinstance(result.error, JournalUnavailable)
            assert "free space on it" in str(result.error)
            return recorded
        recorded.append(result.value.entry_id)
    raise AssertionError("the disk never filled up")


def _fill(directory: Path, leave: int) -> None:
    """Write a file until nothing fits any more, then give back so many bytes."""
    path = directory / f"filler{len(list(directory.glob('filler*'))) or ''}"
    with path.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(b"x" * 4096) == 4096:
                pass
        file.truncate(max(file.tell() - leave, 0))


def _mount(directory: Path, *options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", ",".join((*options, f"size={DISK}")), "disk", str(directory)]
    subprocess.run(command, check=True)


def _shim() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _fail(call: bytes, after: int, times: int, error: int) -> None:
    _shim().fail_calls(ctypes.c_char(call), after, times, error)


SCENARIOS: dict[str, Callable[[Path], None]] = {
    scenario.__name__: scenario
    for scenario in (full, full_at_the_start, read_only, failing_sync, failing_write, read_only_while_selling)
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]))
