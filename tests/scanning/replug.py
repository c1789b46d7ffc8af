"""A scanner pulled out and plugged in, again and again: `python -m tests.scanning.replug --cycles 1000`.

In each cycle the plug is pulled in the middle of a code, and comes back as another device under the same stable name.
It asserts that each cycle is one OFFLINE and one ONLINE, that no code is ever truncated, that the scan after it arrives
whole, and that no descriptor stays open.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from drivers.clock import SystemClock
from drivers.scanner.events import ScanEvent, ScannerEvent, ScannerStatusEvent
from drivers.scanner.reader import ScannerReader
from drivers.scanner.settings import ScannerSettings
from drivers.scanner.twin import ScannerTwin
from drivers.state import DeviceState

__all__ = ["ReplugResult", "replug"]

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplugResult:
    """What was seen; the times are those from pulling to the OFFLINE event and from plugging in to ONLINE."""

    cycles: int
    descriptors_before: int
    descriptors_after: int
    offline_ms_median: float
    offline_ms_max: float
    online_ms_median: float
    online_ms_max: float


class Watch:
    """Keeps what the reader told, with the moment of each change."""

    def __init__(self) -> None:
        self.scans: list[str] = []
        self.states: list[tuple[DeviceState, float]] = []
        self._changed = threading.Condition()

    def __call__(self, event: ScannerEvent) -> None:
        with self._changed:
            if isinstance(event, ScanEvent):
                self.scans.append(event.data)
            elif isinstance(event, ScannerStatusEvent):
                self.states.append((event.state, time.monotonic()))
            self._changed.notify_all()

    def await_count(self, what: Callable[[], int], count: int) -> None:
        """Wait until so many were told. Raises AssertionError."""
        with self._changed:
            assert self._changed.wait_for(lambda: what() >= count, DEADLINE_S), f"{what()} of {count} after a minute"


def replug(cycles: int, advance: Callable[[int], None] = lambda done: None) -> ReplugResult:
    """Pull and plug `cycles` times. Raises AssertionError."""
    with tempfile.TemporaryDirectory() as folder, ScannerTwin(Path(folder) / "usb-Scanner-if00") as twin:
        watch = Watch()
        # What the agent uses, but for the duplicate filter and an idle gap that could end the half code.
        settings = ScannerSettings(name="front", port=twin.path, duplicate_window_ms=0, idle_gap_ms=None)
        reader = ScannerReader(settings, watch, clock=SystemClock(), random=random.random)
        reader.start()
        watch.await_count(lambda: len(watch.states), 1)
        before = open_descriptors()
        away_s, back_s = _cycles(twin, watch, cycles, advance)
        after = open_descriptors()
        reader.stop()
    assert after == before, f"{after - before} descriptors stay open after {cycles} cycles"
    expected = [DeviceState.ONLINE] + [DeviceState.OFFLINE, DeviceState.ONLINE] * cycles
    assert [state for state, _ in watch.states] == expected
    return ReplugResult(
        cycles=cycles,
        descriptors_before=before,
        descriptors_after=after,
        offline_ms_median=_middle_ms(away_s),
        offline_ms_max=round(max(away_s) * 1000, 1),
        online_ms_median=_middle_ms(back_s),
        online_ms_max=round(max(back_s) * 1000, 1),
    )


def _cycles(
    twin: ScannerTwin, watch: Watch, cycles: int, advance: Callable[[int], None]
) -> tuple[list[float], list[float]]:
    away_s, back_s = [], []
    for cycle in range(1, cycles + 1):
        twin.send(b"TRUNCATED-%d" % cycle)
        pulled_s = time.monotonic()
        twin.unplug()
        watch.await_count(lambda: len(watch.states), 2 * cycle)
        plugged_s = time.monotonic()
        twin.plug_in()
        watch.await_count(lambda: len(watch.states), 2 * cycle + 1)
        twin.scan(f"WHOLE-{cycle}")
        watch.await_count(lambda: len(watch.scans), cycle)
        assert watch.scans[-1] == f"WHOLE-{cycle}", f"{watch.scans[-1]!r} came in cycle {cycle}"
        away_s.append(watch.states[-2][1] - pulled_s)
        back_s.append(watch.states[-1][1] - plugged_s)
        advance(1)
    return away_s, back_s


def open_descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def _middle_ms(seconds: list[float]) -> float:
    return round(sorted(seconds)[len(seconds) // 2] * 1000, 1)


def main() -> int:
    """Run by command; 0 where everything holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.scanning.replug", description=__doc__)
    parser.add_argument("--cycles", type=int, default=1_000, metavar="N", help="default 1000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("cycles", total=arguments.cycles)
        result = replug(arguments.cycles, lambda done: bar.advance(task, done))
    if arguments.json:
        print(json.dumps(asdict(result)))
    else:
        print(
            f"{result.cycles} cycles, descriptors {result.descriptors_before} before and {result.descriptors_after} "
            f"after; OFFLINE told after {result.offline_ms_median} ms (at most {result.offline_ms_max}), ONLINE after "
            f"{result.online_ms_median} ms (at most {result.online_ms_max})"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
