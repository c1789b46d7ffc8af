"""Power cuts by command: `python -m tests.crash.power_cut`. See docs/decisions/0007-power-cut-harness.md.

The product's journal works under the recorder, thousands of disks are made that a power cut could have left, and each
is opened by the product. Under the product's own `synchronous=FULL` nothing may be missing; images made under NORMAL
and OFF must fail, or the harness proves nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import get_args

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.crash.audit import Fault, FaultKind
from tests.crash.check import check_files, scratch_directory
from tests.crash.expected import lines_of_journal
from tests.crash.recorder import RecorderUnavailable, compile_recorder
from tests.crash.recording import Recording, WorkloadFailed, record
from tests.crash.register import Json
from tests.crash.rig import JOURNAL
from tests.crash.workload import SYNCHRONOUS

__all__ = ["Result", "Settings", "run"]

LIVES = 4
CHUNK_IMAGES = 50
# A control fails within a few images; a tenth of them is plenty.
CONTROL_SHARE = 10
KEPT_MAX = 5
EXAMPLES_MAX = 3

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`steps` are what each register does in a life; `keep` is where images that fail are put, None for nowhere.

    `journal` is one to begin with, of an older release perhaps; None begins with an empty directory.
    """

    synchronous: str = "FULL"
    images: int
    seed: str = "1"
    jobs: int = 2
    lives: int = LIVES
    steps: int = 60
    keep: Path | None = None
    journal: Path | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """An image that failed."""

    life: int
    number: int
    cut: int
    faults: tuple[Fault, ...]


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of the images. `kinds` counts images by the first thing that was wrong with them."""

    synchronous: str
    images: int = 0
    operations: int = 0
    acknowledgements: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def kinds(self) -> Counter[FaultKind]:
        """Images by the kind of their first fault."""
        return Counter(finding.faults[0].kind for finding in self.findings)

    @property
    def holds(self) -> bool:
        """Whether the proof does: nothing wrong under FULL, something under the others."""
        return (self.synchronous == "FULL") == (not self.findings)

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "synchronous": self.synchronous,
            "images": self.images,
            "images_failed": len(self.findings),
            **{kind: self.kinds[kind] for kind in get_args(FaultKind)},
            "operations_recorded": self.operations,
            "acknowledgements": self.acknowledgements,
            "images_per_second": round(self.images / self.seconds, 1) if self.seconds else None,
            "holds": self.holds,
        }


def run(settings: Settings, tell: Tell = lambda images: None) -> Result:
    """Record and check. Each life after the first starts from a disk that a power cut of the one before left."""
    started, result = time.monotonic(), Result(synchronous=settings.synchronous)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with (
        tempfile.TemporaryDirectory(prefix="crash-") as folder,
        ProcessPoolExecutor(settings.jobs, context, initializer=_be_quiet) as pool,
    ):
        library = compile_recorder(Path(folder))
        for life, recording in enumerate(_lives(settings, library)):
            file = Path(folder, f"life-{life}")
            file.write_bytes(pickle.dumps(recording))
            _count(result, recording)
            share = settings.images * (life + 1) // settings.lives - settings.images * life // settings.lives
            _check_all(pool, file, life, share, result, tell)
        _keep(settings, result, Path(folder))
    result.seconds = time.monotonic() - started
    return result


def _lives(settings: Settings, library: Path) -> Iterator[Recording]:
    files: dict[str, bytes] = {}
    before: tuple[Json, ...] = ()
    if settings.journal is not None:
        files[JOURNAL], before = settings.journal.read_bytes(), tuple(lines_of_journal(settings.journal))
    recording: Recording | None = None
    for life in range(settings.lives):
        # A control's disks are damaged: it starts afresh each time.
        if recording is not None and settings.synchronous == "FULL":
            (image,) = recording.images([Random(f"{settings.seed}/{life}").randrange(10**9)])
            files, before = image.files, recording.acknowledged_before(image.cut)
        recording = record(
            library,
            f"{settings.seed}.{life}",
            synchronous=settings.synchronous,
            steps=settings.steps,
            close=life % 2 == 1,
            # What was pruned cannot be audited: the first half goes without.
            prune=life >= settings.lives / 2,
            files=files,
            before=before,
        )
        yield recording


def _count(result: Result, recording: Recording) -> None:
    result.operations += len(recording.operations)
    result.acknowledgements += sum(operation.kind == "acknowledge" for operation in recording.operations)


def _check_all(pool: ProcessPoolExecutor, file: Path, life: int, images: int, result: Result, tell: Tell) -> None:
    chunks = [range(first, min(first + CHUNK_IMAGES, images)) for first in range(0, images, CHUNK_IMAGES)]
    waiting: list[Future[tuple[int, list[Finding]]]] = [pool.submit(_check, file, life, chunk) for chunk in chunks]
    for done in as_completed(waiting):
        count, findings = done.result()
        result.images += count
        result.findings += findings
        tell(count)


def _be_quiet() -> None:
    """The product logs what it finds; here the findings are counted."""
    logging.disable(logging.CRITICAL)


def _check(file: Path, life: int, numbers: Sequence[int]) -> tuple[int, list[Finding]]:
    """Check some images of a recording; runs in a process of its own."""
    findings: list[Finding] = []
    with scratch_directory() as scratch:
        for image in _load(file).images(numbers):
            faults = check_files(image.files, image.expected, scratch)
            if faults:
                findings.append(Finding(life, image.number, image.cut, tuple(faults)))
    return len(numbers), findings


@lru_cache(maxsize=1)
def _load(file: Path) -> Recording:
    recording: Recording = pickle.loads(file.read_bytes())
    return recording


def _keep(settings: Settings, result: Result, folder: Path) -> None:
    """Put the first images that failed aside, each with a text that says what is wrong."""
    if settings.keep is None:
        return
    for finding in result.findings[:KEPT_MAX]:
        target = settings.keep / f"{settings.synchronous.lower()}-{finding.life}-{finding.number}"
        target.mkdir(parents=True, exist_ok=True)
        (image,) = _load(folder / f"life-{finding.life}").images([finding.number])
        for name, data in image.files.items():
            (target / name).write_bytes(data)
        text = "\n".join(f"{fault.kind}: {fault.what}" for fault in finding.faults)
        (target / "FAULTS").write_text(f"cut before operation {finding.cut}\n{text}\n", encoding="utf-8")


def main() -> int:
    """Run by command; 0 where everything holds."""
    arguments = _parse()
    console = Console(stderr=arguments.json)
    chosen = [arguments.synchronous] if arguments.synchronous else list(reversed(SYNCHRONOUS))
    try:
        results = _run_all(arguments, chosen, console)
    except (RecorderUnavailable, WorkloadFailed) as error:
        console.print(f"[red]{error}[/red]")
        return 2
    _report(console, results, arguments.keep)
    if arguments.json:
        print(json.dumps([result.as_json() for result in results]))
    # One mode alone is judged by its images; that is how a control is seen to fail.
    return int(any(result.findings for result in results) if len(results) == 1 else not all(r.holds for r in results))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.power_cut", description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="how many disks to make and open (10000)")
    parser.add_argument("--seed", default="1", help="another seed makes other disks (1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--synchronous", choices=SYNCHRONOUS, help="one mode alone; else FULL and both controls")
    parser.add_argument("--journal", type=Path, help="begin with this journal, as one of an older release")
    parser.add_argument("--keep", type=Path, default=Path("build/power-cut"), help="where images that fail are put")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if arguments.images < 1 or arguments.jobs < 1:
        parser.error("--images and --jobs are 1 or more")
    return arguments


def _run_all(arguments: argparse.Namespace, chosen: list[str], console: Console) -> list[Result]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console) as progress:
        return [_run_one(arguments, mode, len(chosen) > 1, progress) for mode in chosen]


def _run_one(arguments: argparse.Namespace, mode: str, with_controls: bool, progress: Progress) -> Result:
    is_control = with_controls and mode != "FULL"
    images = max(arguments.images // CONTROL_SHARE, 1) if is_control else arguments.images
    settings = Settings(
        synchronous=mode,
        images=images,
        seed=arguments.seed,
        jobs=arguments.jobs,
        lives=1 if is_control else LIVES,
        keep=arguments.keep,
        journal=arguments.journal,
    )
    task, started = progress.add_task(f"synchronous={mode}", total=images, rate=""), time.monotonic()

    def tell(count: int) -> None:
        progress.advance(task, count)
        rate = progress.tasks[task].completed / (time.monotonic() - started)
        progress.update(task, rate=f"{rate:.0f} images/s")

    return run(settings, tell)


def _report(console: Console, results: list[Result], keep: Path) -> None:
    table = Table(title="Power cuts")
    for name in ("synchronous", "images", *get_args(FaultKind), "operations", "images/s", ""):
        table.add_column(name, justify="left" if name in ("synchronous", "") else "right")
    for result in results:
        verdict = ("whole" if result.holds else "FAILS") if result.synchronous == "FULL" else _control_verdict(result)
        counts = [str(result.kinds[kind]) for kind in get_args(FaultKind)]
        rate = f"{result.images / result.seconds:.0f}"
        table.add_row(result.synchronous, str(result.images), *counts, str(result.operations), rate, verdict)
    console.print(table)
    for result in results:
        for finding in result.findings[:EXAMPLES_MAX] if result.synchronous == "FULL" or len(results) == 1 else ():
            console.print(f"life {finding.life}, image {finding.number}: {finding.faults[0].what}", highlight=False)
            console.print(f"  its files are in {keep}")


def _control_verdict(result: Result) -> str:
    return "fails, as it must" if result.holds else "DOES NOT FAIL: the harness is blind"


if __name__ == "__main__":
    sys.exit(main())
