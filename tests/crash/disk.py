"""A disk as a power cut finds it: what was synced is there, of the rest anything may be.

The model promises less than file systems do, as far as POSIX lets them:
- A write is durable after a sync of its file; before that each of its sectors of 512 bytes may have reached the disk
  or not, in any order, and nothing ties it to writes before it.
- A truncation or growth is a change like any other; where a file had grown, the new part may hold zeros or rubbish.
- A name (made, renamed, deleted) is durable after a sync of the directory, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from tests.crash.recorder import Operation

__all__ = ["SECTOR_BYTES", "Disk"]

SECTOR_BYTES = 512
CHANCES = (0.05, 0.3, 0.5, 0.7, 0.95)

T = TypeVar("T")
Fate = Callable[[Sequence[Operation], Random], Iterable[Operation]]


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)


class Disk:
    """Takes operations in order and gives what could be left of the files at any moment."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        """`files` were there before and are durable."""
        self._files = [_File(durable=bytearray(data)) for data in (files or {}).values()]
        self._names = {name: number for number, name in enumerate(files or {})}
        self._names_pending: list[Operation] = []

    def apply(self, operation: Operation) -> None:
        """Let one operation happen."""
        match operation.kind:
            case "write" | "truncate" | "allocate":
                self._files[operation.file].pending.append(operation)
            case "sync":
                file = self._files[operation.file]
                _change_all(file.durable, file.pending)
                file.pending.clear()
            case "open":
                self._files.append(_File())
                self._names_pending.append(operation)
            case "unlink" | "rename":
                self._names_pending.append(operation)
            case "sync_directory":
                _rename_all(self._names, self._names_pending)
                self._names_pending.clear()

    def now(self) -> dict[str, bytes]:
        """Return what a process sees now, without any power cut: content by name."""
        names = dict(self._names)
        _rename_all(names, self._names_pending)
        return {name: self._all_of(self._files[number]) for name, number in names.items()}

    def image(self, random: Random) -> dict[str, bytes]:
        """Return what a power cut could leave now: content by name."""
        names = dict(self._names)
        _rename_all(names, _fate(random)(self._names_pending, random))
        return {name: self._left_of(self._files[number], random) for name, number in names.items()}

    def _all_of(self, file: _File) -> bytes:
        content = bytearray(file.durable)
        _change_all(content, file.pending)
        return bytes(content)

    def _left_of(self, file: _File, random: Random) -> bytes:
        content = bytearray(file.durable)
        if file.pending:
            if random.random() < 0.3:
                _grow(content, max(_end(change) for change in file.pending), random)
            _change_all(content, _fate(random)(file.pending, random))
        return bytes(content)


def _change_all(content: bytearray, changes: Iterable[Operation]) -> None:
    for change in changes:
        _change(content, change)


def _change(content: bytearray, change: Operation) -> None:
    match change.kind:
        case "write":
            end = change.offset + len(change.data)
            content.extend(bytes(max(0, change.offset - len(content))))
            content[change.offset : end] = change.data
        case "truncate":
            del content[change.size :]
            content.extend(bytes(change.size - len(content)))
        case "allocate":
            content.extend(bytes(max(0, change.size - len(content))))


def _rename_all(names: dict[str, int], changes: Iterable[Operation]) -> None:
    for change in changes:
        match change.kind:
            case "open":
                names[change.name] = change.file
            case "unlink":
                names.pop(change.name, None)
            case "rename":
                # The name may be missing where the change that made it did not survive.
                if change.name in names:
                    names[change.target] = names.pop(change.name)


def _end(change: Operation) -> int:
    return change.offset + len(change.data) if change.kind == "write" else change.size


def _grow(content: bytearray, size: int, random: Random) -> None:
    """Let the new size survive without the data: old contents of the disk, or zeros, show through."""
    missing = max(0, size - len(content))
    content.extend(random.randbytes(missing) if random.random() < 0.5 else bytes(missing))


# --- fates: what becomes of the changes that no sync made durable ---


def _kept(changes: Sequence[Operation], _: Random) -> Iterable[Operation]:
    return changes


def _dropped(_: Sequence[Operation], __: Random) -> Iterable[Operation]:
    return ()


def _prefix(changes: Sequence[Operation], random: Random) -> Iterable[Operation]:
    """All up to one, which is torn."""
    length = random.randrange(len(changes) + 1)
    return [*changes[:length], *_sectors(changes[length : length + 1], random)]


def _subset(changes: Sequence[Operation], random: Random) -> Iterable[Operation]:
    chance = random.choice(CHANCES)
    return [change for change in changes if random.random() < chance]


def _torn(changes: Sequence[Operation], random: Random) -> Iterable[Operation]:
    return _sectors(changes, random)


def _reordered(changes: Sequence[Operation], random: Random) -> Iterable[Operation]:
    sectors = _sectors(changes, random)
    random.shuffle(sectors)
    return sectors


def _fate(random: Random) -> Fate:
    return random.choice((_kept, _dropped, _prefix, _subset, _torn, _reordered))


def _sectors(changes: Iterable[Operation], random: Random) -> list[Operation]:
    """Take writes apart at the sectors of the disk and keep some of the parts; other changes stay whole."""
    chance = random.choice(CHANCES)
    return [part for change in changes for part in _parts(change) if random.random() < chance]


def _parts(change: Operation) -> Iterable[Operation]:
    if change.kind != "write":
        yield change
        return
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        part = change.data[start - change.offset : stop - change.offset]
        yield Operation("write", change.file, offset=start, data=part)
        start = stop
