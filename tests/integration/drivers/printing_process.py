"""A process that prints jobs, and kills itself where it is told to: run by the kill tests."""

import os
import signal
import sys
from pathlib import Path

from drivers.clock import SystemClock
from drivers.printer.printer import Printer
from drivers.printer.profile import PrinterProfile
from drivers.printer.settings import PrinterSettings
from drivers.printer.spool import Spool
from drivers.printer.transport import Connection, open_connection
from tests.integration.drivers.waiting import wait_until


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingConnection:
    """A connection that kills its process before or after the job leaves."""

    def __init__(self, connection: Connection, moment: str) -> None:
        self._connection = connection
        self._moment = moment

    def send(self, data: bytes) -> None:
        is_job = b"receipt" in data
        if is_job and self._moment == "before_send":
            die()
        self._connection.send(data)
        if is_job and self._moment == "after_send":
            die()

    def receive(self, timeout_s: float) -> bytes:
        return self._connection.receive(timeout_s)

    def close(self) -> None:
        self._connection.close()


def is_settled(spool: Spool, reference: str) -> bool:
    job = spool.job(reference)
    return job is not None and job.settled_at is not None


def main(spool_path: str, address: str, moment: str, references: list[str]) -> None:
    spool = Spool(Path(spool_path), now=SystemClock().now)
    settings = PrinterSettings(
        name="front", transport="tcp", address=address, profile=PrinterProfile(confirm="process_id")
    )
    printer = Printer(
        settings,
        spool,
        lambda event: None,
        clock=SystemClock(),
        random=lambda: 0.5,
        connect=lambda chosen: DyingConnection(open_connection(chosen), moment),
    )
    for reference in references:
        spool.submit(reference, b"receipt " + reference.encode() + b"\n\x1dV\x00")
    if moment == "before_start":
        die()
    printer.start()
    print("printing", flush=True)
    wait_until(lambda: all(is_settled(spool, reference) for reference in references), "the end of every job")
    printer.stop()
    spool.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
