"""On what a run was made: date, processor, disk, Python, SQLite, and how busy the machine was."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median

from bench.measure import latencies_ms

__all__ = ["describe"]

BLOCK_BYTES = 4096
SYNCS = 100


def describe(now: datetime, directory: Path) -> str:
    """Return it as one line; `directory` lies on the disk that was used."""
    return " · ".join(
        (
            f"{now:%Y-%m-%d %H:%M}",
            f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
            f"a synced write of 4 kB takes {_sync_ms(directory):.2f} ms",
            f"{platform.system()} {platform.release()}",
            f"CPython {platform.python_version()}",
            f"SQLite {sqlite3.sqlite_version}",
        )
    )


def _sync_ms(directory: Path) -> float:
    """Return the median time of a write over what is there and its fsync: what a durable commit cannot undercut."""
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        file.write(bytes(BLOCK_BYTES))
        os.fsync(file.fileno())

        def write() -> None:
            os.pwrite(file.fileno(), os.urandom(BLOCK_BYTES), 0)
            os.fsync(file.fileno())

        return median(latencies_ms(write, SYNCS))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
