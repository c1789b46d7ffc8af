"""A recording: the operations of one life of the workload, the files it started from, and what was acknowledged before."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.crash.disk import Disk
from tests.crash.expected import Expected
from tests.crash.recorder import Operation, preloaded, read_log
from tests.crash.register import Json

__all__ = ["Image", "Recording", "WorkloadFailed", "record"]

TIMEOUT_S = 300


class WorkloadFailed(Exception):
    """The recorded process did not do its work; the text shows what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The files that a power cut left before the operation `cut`, and what had been acknowledged by then."""

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

    def images(self, numbers: list[int]) -> Iterator[Image]:
        """Give the images of these numbers, in order of their cuts. The same number is always the same image."""
        disk, expected, position = Disk(self.files), Expected.of(self.before), 0
        for cut, number in sorted((self._cut(number), number) for number in numbers):
            for operation in self.operations[position:cut]:
                disk.apply(operation)
                for line in _lines(operation):
                    expected.add(line)
            position = cut
            files = disk.image(Random(f"{self.seed}/{number}/image"))
            yield Image(cut=cut, files=files, expected=expected)

    def acknowledged_before(self, cut: int) -> tuple[Json, ...]:
        """Return every line that was acknowledged before an operation."""
        return self.before + tuple(line for operation in self.operations[:cut] for line in _lines(operation))

    def _cut(self, number: int) -> int:
        return Random(f"{self.seed}/{number}/cut").randrange(len(self.operations) + 1)


def record(
    library: Path,
    seed: str,
    *,
    synchronous: str,
    steps: int,
    close: bool,
    files: dict[str, bytes] | None = None,
    before: tuple[Json, ...] = (),
) -> Recording:
    """Run the workload under the recorder. Raises WorkloadFailed, UnrecordableOperation."""
    files = files or {}
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        directory, log = Path(folder, "disk"), Path(folder, "log")
        directory.mkdir()
        for name, data in files.items():
            (directory / name).write_bytes(data)
        command = [sys.executable, "-m", "tests.crash.workload", "--directory", str(directory), "--seed", seed]
        command += ["--synchronous", synchronous, "--steps", str(steps), *(["--close"] if close else [])]
        _run(command, preloaded(library, directory, log))
        operations = tuple(read_log(log, directory, tuple(files)))
    if not any(operation.kind == "sync" for operation in operations) and synchronous == "FULL":
        raise WorkloadFailed("the recorder saw no sync: is this Python's SQLite linked so that libc cannot be preloaded?")
    return Recording(seed=seed, files=files, before=before, operations=operations)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode or done.stderr:
        raise WorkloadFailed(f"the workload ended with status {done.returncode} and said:\n{done.stderr}")


def _lines(operation: Operation) -> list[Json]:
    if operation.kind != "acknowledge":
        return []
    return [json.loads(line) for line in operation.data.splitlines()]
