"""A recording: the operations of one life of the workload, what it started from, and what was acknowledged before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.crash.check import scratch_directory
from tests.crash.disk import Disk
from tests.crash.expected import Expected
from tests.crash.recorder import ACKNOWLEDGEMENTS, Operation, preloaded, read_log
from tests.crash.register import Json

__all__ = ["Image", "Recording", "WorkloadFailed", "record"]

TIMEOUT_S = 300
# So many of the images fall into the first operations of a life: its start-up, and its recovery from the crash before.
START_OPERATIONS = 150
START_SHARE = 0.15


class WorkloadFailed(Exception):
    """The recorded process did not do its work; the text shows what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The files that a power cut left before the operation `cut`, and what had been acknowledged by then."""

    number: int
    cut: int
    files: dict[str, bytes]
    expected: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What happened in one life, on a disk that held `files` and after the acknowledgements `before`."""

    seed: str
    files: dict[str, bytes]
    before: tuple[Json, ...]
    operations: tuple[Operation, ...]

    def images(self, numbers: Sequence[int]) -> Iterator[Image]:
        """Give the images of these numbers, in order of their cuts. The same number is always the same image."""
        disk, expected, position = Disk(self.files), Expected.of(self.before), 0
        for cut, number in sorted((self._cut(number), number) for number in numbers):
            for operation in self.operations[position:cut]:
                disk.apply(operation)
                for line in _lines(operation):
                    expected.add(line)
            position = cut
            files = disk.image(Random(f"{self.seed}/{number}/image"))
            yield Image(number=number, cut=cut, files=files, expected=expected)

    def acknowledged_before(self, cut: int) -> tuple[Json, ...]:
        """Return every line that was acknowledged before an operation."""
        return self.before + tuple(line for operation in self.operations[:cut] for line in _lines(operation))

    def _cut(self, number: int) -> int:
        random, count = Random(f"{self.seed}/{number}/cut"), len(self.operations)
        return random.randrange((min(count, START_OPERATIONS) if random.random() < START_SHARE else count) + 1)


def record(
    library: Path,
    seed: str,
    *,
    synchronous: str,
    steps: int,
    close: bool,
    prune: bool,
    files: dict[str, bytes],
    before: tuple[Json, ...],
) -> Recording:
    """Run the workload under the recorder. Raises WorkloadFailed, UnrecordableOperation."""
    with scratch_directory() as folder:
        directory, log = folder / "disk", folder / "log"
        directory.mkdir()
        for name, data in files.items():
            (directory / name).write_bytes(data)
        command = [sys.executable, "-m", "tests.crash.workload", "--directory", str(directory), "--seed", seed]
        command += ["--synchronous", synchronous, "--steps", str(steps), *(["--close"] if close else [])]
        command += ["--prune"] if prune else []
        _run(command, preloaded(library, directory, log))
        operations = tuple(read_log(log, directory, tuple(files)))
        _check_complete(files, operations, directory)
    if not any(operation.kind == "sync" for operation in operations) and synchronous == "FULL":
        raise WorkloadFailed("the recorder saw no sync: is this Python linked statically against libc?")
    return Recording(seed=seed, files=files, before=before, operations=operations)


def _check_complete(files: dict[str, bytes], operations: tuple[Operation, ...], directory: Path) -> None:
    """Hold the recorder to account: what it saw must make exactly the files that are there."""
    disk = Disk(files)
    for operation in operations:
        disk.apply(operation)
    there = {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.endswith("-shm")}
    there.pop(ACKNOWLEDGEMENTS)
    if disk.now() != there:
        raise WorkloadFailed("the recorder missed an operation: its log does not make the files that are there")


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode or done.stderr:
        raise WorkloadFailed(f"the workload ended with status {done.returncode} and said:\n{done.stderr}")


def _lines(operation: Operation) -> list[Json]:
    if operation.kind != "acknowledge":
        return []
    return [json.loads(line) for line in operation.data.splitlines()]
