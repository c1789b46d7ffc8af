"""The recorder sees every way in which a process changes a file, in order, and refuses what it cannot follow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.disk import Disk
from tests.crash.recorder import Operation, UnrecordableOperation, preloaded, read_log

_EVERYTHING = """
import os, sys
folder = sys.argv[1]
def path(name): return os.path.join(folder, name)
a = os.open(path("a"), os.O_RDWR | os.O_CREAT)
os.write(a, b"one"); os.pwrite(a, b"TWO", 5); os.writev(a, [b"x", b"yz"]); os.pwritev(a, [b"p", b"q"], 20)
os.fsync(a); os.fdatasync(a); os.ftruncate(a, 21); os.posix_fallocate(a, 30, 10); os.truncate(path("a"), 35)
os.close(a)
acknowledged = os.open(path("ACKNOWLEDGEMENTS"), os.O_WRONLY | os.O_CREAT)
os.write(acknowledged, b"first")
with open(path("b"), "wb") as file: file.write(b"buffered")
with open(path("b"), "ab") as file: file.write(b", appended")
os.rename(path("b"), path("c"))
with open(path("c"), "wb") as file: file.write(b"anew")
with open(path("d"), "wb") as file: file.write(b"gone")
os.unlink(path("d"))
with open(path("e"), "wb") as file: file.write(b"gone too")
os.replace(path("c"), path("e"))
with open(path("x-shm"), "wb") as file: file.write(b"not durable")
directory = os.open(folder, os.O_RDONLY); os.fsync(directory)
with open(os.path.join(os.path.dirname(folder), "elsewhere"), "wb") as file: file.write(b"not ours")
"""

_SHARED_MAP = """
import mmap, os, sys
a = os.open(os.path.join(sys.argv[1], "a"), os.O_RDWR | os.O_CREAT)
os.ftruncate(a, 4096)
mmap.mmap(a, 4096)[0:1] = b"x"
"""


def _record(program: str, library: Path, tmp_path: Path) -> list[Operation]:
    directory, log = tmp_path / "disk", tmp_path / "log"
    directory.mkdir()
    environment = preloaded(library, directory, log)
    subprocess.run([sys.executable, "-c", program, str(directory)], env=environment, check=True)
    return read_log(log, directory)


def test_the_log_makes_the_files_that_are_there(library: Path, tmp_path: Path) -> None:
    operations = _record(_EVERYTHING, library, tmp_path)
    disk = Disk()
    for operation in operations:
        disk.apply(operation)
    there = {path.name: path.read_bytes() for path in (tmp_path / "disk").iterdir()}
    assert there.keys() == {"a", "e", "ACKNOWLEDGEMENTS", "x-shm"}
    assert disk.now() == {"a": there["a"], "e": there["e"]}


def test_syncs_and_acknowledgements_stand_in_order(library: Path, tmp_path: Path) -> None:
    kinds = [operation.kind for operation in _record(_EVERYTHING, library, tmp_path)]
    # A vector of two parts makes two records.
    assert kinds[:9] == ["open", *["write"] * 6, "sync", "sync"]
    assert kinds[9:13] == ["truncate", "allocate", "truncate", "acknowledge"]
    assert kinds[-1] == "sync_directory"


def test_a_shared_writable_map_is_refused(library: Path, tmp_path: Path) -> None:
    with pytest.raises(UnrecordableOperation, match=r"mmap.* on a"):
        _record(_SHARED_MAP, library, tmp_path)
