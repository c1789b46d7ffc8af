"""The recorder's Python side: compiles it, says how to load it, reads its log. What it records stands in recorder.c."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "ACKNOWLEDGEMENTS",
    "Operation",
    "RecorderUnavailable",
    "UnrecordableOperation",
    "compile_recorder",
    "preloaded",
    "read_log",
]

# What is written to a file of this name is an acknowledgement given to a caller, not a part of the journal.
ACKNOWLEDGEMENTS = "ACKNOWLEDGEMENTS"

Kind = Literal["open", "write", "truncate", "allocate", "sync", "sync_directory", "unlink", "rename", "acknowledge"]

_HEADER = struct.Struct("<ciqI")
_SOURCE = Path(__file__).with_name("recorder.c")
# -U: a compiler that fortifies by default turns `open` into an inline function, which cannot be defined again.
_FLAGS = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-U_FORTIFY_SOURCE", "-fPIC", "-shared")


class RecorderUnavailable(Exception):
    """The recorder cannot be built on this machine; the text names the remedy."""


class UnrecordableOperation(Exception):
    """The process changed a file in a way that the recorder cannot follow: no image of it would be true."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call on a file. `file` tells files apart beyond their names; `size` belongs to truncate and allocate.

    `open` says that the name `name` came to be, with `rename` it became `target`.
    """

    kind: Kind
    file: int = -1
    name: str = ""
    target: str = ""
    offset: int = 0
    size: int = 0
    data: bytes = b""


def compile_recorder(directory: Path) -> Path:
    """Compile the recorder into `directory`. Raises RecorderUnavailable."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise RecorderUnavailable("no C compiler: install gcc to run the power cuts")
    library = directory / "recorder.so"
    command = [compiler, *_FLAGS, "-o", str(library), str(_SOURCE), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RecorderUnavailable(f"{compiler} cannot compile the recorder (it needs Linux with glibc): {done.stderr}")
    return library


def preloaded(library: Path, directory: Path, log: Path) -> dict[str, str]:
    """Return the environment of a process whose work in `directory` is to be recorded."""
    return os.environ | {
        "LD_PRELOAD": str(library),
        "CRASH_RECORDER_DIRECTORY": os.path.realpath(directory),
        "CRASH_RECORDER_LOG": str(log),
    }


def read_log(log: Path, directory: Path, names: tuple[str, ...] = ()) -> list[Operation]:
    """Return the operations in order; `names` were in the directory before. Raises UnrecordableOperation."""
    reader = _Reader(os.path.realpath(directory), names)
    return [operation for record in _records(log.read_bytes()) if (operation := reader.read(*record)) is not None]


def _records(data: bytes) -> Iterator[tuple[str, int, int, bytes]]:
    position = 0
    while position < len(data):
        operation, descriptor, offset, length = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        yield operation.decode(), descriptor, offset, data[position : position + length]
        position += length


class _Reader:
    """Follows descriptors and names, so that every operation names a file; files there before count from 0."""

    def __init__(self, directory: str, names: tuple[str, ...]) -> None:
        self._directory = directory
        self._files = {name: number for number, name in enumerate(names)}
        self._made = len(names)
        self._descriptors: dict[int, tuple[int, str]] = {}

    def read(self, code: str, descriptor: int, offset: int, payload: bytes) -> Operation | None:
        """Return the operation of one record; None for what changes nothing."""
        match code:
            case "O":
                return self._open(descriptor, offset, self._name(payload))
            case "C":
                del self._descriptors[descriptor]
                return None
            case "U":
                name = self._name(payload)
                self._files.pop(name, None)
                return Operation("unlink", name=name)
            case "R":
                name, target = (self._name(part) for part in payload.split(b"\0"))
                self._files[target] = self._files.pop(name)
                return Operation("rename", name=name, target=target)
            case "t":
                return Operation("truncate", self._files[self._name(payload)], size=offset)
        file, name = self._descriptors[descriptor]
        if name == ACKNOWLEDGEMENTS:
            return Operation("acknowledge", data=payload) if code == "W" else None
        return _on_file(code, file, name, offset, payload)

    def _open(self, descriptor: int, flags: int, name: str) -> Operation | None:
        if name in ("", ACKNOWLEDGEMENTS):
            self._descriptors[descriptor] = (-1, name)
            return None
        made = name not in self._files
        if made:
            self._files[name] = self._made
            self._made += 1
        self._descriptors[descriptor] = (self._files[name], name)
        if made:
            return Operation("open", self._files[name], name=name)
        return Operation("truncate", self._files[name]) if flags & os.O_TRUNC else None

    def _name(self, path: bytes) -> str:
        return os.fsdecode(path).removeprefix(self._directory).strip("/")


def _on_file(code: str, file: int, name: str, offset: int, payload: bytes) -> Operation:
    match code:
        case "W":
            return Operation("write", file, offset=offset, data=payload)
        case "T":
            return Operation("truncate", file, size=offset)
        case "A":
            return Operation("allocate", file, size=offset)
        case "S":
            return Operation("sync", file) if name else Operation("sync_directory")
    raise UnrecordableOperation(
        f"{payload.decode()} on {name or 'the directory'}: teach tests/crash/recorder.c to follow it"
    )
