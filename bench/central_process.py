"""A running central with several terminals that upload to it, and what a turn of uploads takes. Knows no row."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.central_places import Place
from bench.central_site import BATCH, Site, Upload, Uploader, uploaders
from bench.process import ProcessFailed

__all__ = ["TERMINALS", "Central", "Figures", "Turn", "measured", "running_central"]

TERMINALS = 4
READY = "loyalty-central listens on http://"
STOP_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One side's turn: entries a second, and the processor time of a batch in milliseconds, the server's included.

    `work_ms` is None where the server is another machine's.
    """

    rate: float
    work_ms: float | None


@dataclass(slots=True)
class Figures:
    """What a block took."""

    seconds: float = 0.0
    work_s: float | None = None

    def turn(self, batches: int) -> Turn:
        """Make a turn of it."""
        work_ms = None if self.work_s is None else 1000 * self.work_s / batches
        return Turn(rate=batches * BATCH / self.seconds, work_ms=work_ms)


@contextmanager
def measured(pids: Sequence[int | None], *, here: bool = False) -> Iterator[Figures]:
    """Take the time of a block and the processor time of processes with their children; `here`, of this one too."""
    figures = Figures()
    start_s, before_s = time.perf_counter(), _worked_s(pids, here=here)
    yield figures
    figures.seconds, after_s = time.perf_counter() - start_s, _worked_s(pids, here=here)
    figures.work_s = None if before_s is None or after_s is None else after_s - before_s


class Central:
    """A running central. Its terminals each have a connection of their own."""

    def __init__(self, site: Site, place: Place, pid: int, port: int) -> None:
        self._site = site
        self._pids = [pid] if place.kind == "SQLite" else [pid, place.server_pid]
        self._port = port
        self._enrolled = 0

    def terminals(self, choose: Callable[[], str] | None = None) -> list[Uploader]:
        """Return TERMINALS terminals whose journals are open; their sales are to whom `choose` names, or spread."""
        made = uploaders(self._site, self._enrolled, TERMINALS, choose)
        self._enrolled += TERMINALS
        self.turn([[one.opening()] for one in made])
        return made

    def turn(self, uploads: Sequence[Sequence[Upload]]) -> Turn:
        """Send each terminal's uploads one after the other, the terminals side by side. Raises ProcessFailed."""
        failures: list[Exception] = []

        def send(mine: Sequence[Upload]) -> None:
            try:
                self._send(mine)
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=send, args=(mine,)) for mine in uploads]
        with measured(self._pids) as figures:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if failures:
            raise ProcessFailed(f"central does not take the uploads: {failures[0]}")
        return figures.turn(sum(map(len, uploads)))

    def _send(self, uploads: Sequence[Upload]) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            for upload in uploads:
                connection.request("POST", upload.path, upload.body, upload.headers)
                answer = json.loads(connection.getresponse().read())
                outcomes = {outcome["outcome"] for outcome in answer.get("outcomes", ())}
                if answer.get("watermark") != upload.head_seq or outcomes != {"applied"}:
                    raise ProcessFailed(str(answer)[:300])


@contextmanager
def running_central(site: Site, place: Place) -> Iterator[Central]:
    """Run `loyalty-central serve`. Raises ProcessFailed."""
    program = str(Path(sys.executable).with_name("loyalty-central"))
    # What jobs do meanwhile is no part of what is measured.
    command = [program, "serve", "--no-jobs", "--port", "0", "--database", site.url, "--keys", str(site.keys)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        if not line.startswith(READY):
            raise ProcessFailed("loyalty-central did not start; what it said stands above")
        yield Central(site, place, process.pid, int(line.rpartition(":")[2]))
    finally:
        process.terminate()
        process.stdout.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _worked_s(pids: Sequence[int | None], *, here: bool) -> float | None:
    found = [None if pid is None else _processor_s(pid) for pid in pids]
    known = [one for one in found if one is not None]
    return sum(known) + (time.process_time() if here else 0.0) if len(known) == len(found) else None


def _processor_s(pid: int) -> float | None:
    """The processor time of a process, of its children and of those that have ended; Linux only (proc(5), stat)."""
    ticks, found = 0, False
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, fields = int(file.parent.name), file.read_text().rpartition(")")[2].split()
        except OSError:  # It has ended since.
            continue
        if number == pid:
            ticks, found = ticks + sum(map(int, fields[11:15])), True
        elif int(fields[1]) == pid:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK") if found else None
