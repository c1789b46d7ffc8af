"""Scanner and printer on real lines: from the wire to the POS, and from the recorded sale to the wire."""

from __future__ import annotations

import itertools
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Round
from bench.process import AgentProcess, running_agent
from bench.rows import Row, Target, at_most, compared
from bench.terminal import sales
from bench.workshop import Subject, Workshop
from drivers.printer.twin import PrinterTwin
from drivers.scanner.twin import ScannerTwin

__all__ = ["FIRST_BYTE", "SCAN"]

SCAN_P50 = "scan to event in the POS, p50"
SCAN_P99 = "scan to event in the POS, p99"
WIRE_P50 = "recorded sale to first byte on the printer's wire, p50"
WIRE_P99 = "recorded sale to first byte on the printer's wire, p99"
EVENT_TIMEOUT_S = 10.0
READ_BYTES = 65_536


def measure_scan(workshop: Workshop) -> Iterator[Row]:
    """From the last byte on a pseudo-terminal to the event in another process."""
    workshop.begin("scans", workshop.rounds)
    rounds = []
    with ScannerTwin() as twin:
        section = f'[[scanner]]\nname = "counter"\nport = "{twin.path}"\n'
        with running_agent(workshop.directory / "scan", section) as agent, _pos(agent) as pos:
            codes, events = _codes(), _lines(pos)
            _until_heard(twin, codes, events)
            for _ in range(workshop.rounds):
                rounds.append(Round.of([_scan_ms(twin, next(codes), events) for _ in range(workshop.operations)]))
                workshop.step()
    yield from _alone(rounds, SCAN_P50, SCAN_P99, at_most(10, "ours"))


def measure_first_byte(workshop: Workshop) -> Iterator[Row]:
    """The POS records, then asks for the receipt; the clock runs from the one answer to the first byte."""
    workshop.begin("receipts on the wire", workshop.rounds)
    rounds = []
    with PrinterTwin() as twin, _relay(twin.address) as (address, first_bytes):
        section = f'[[printer]]\nname = "receipt"\ntransport = "tcp"\naddress = "{address}"\nconfirm = "process_id"\n'
        with running_agent(workshop.directory / "print", section) as agent, agent.till() as till:
            requests = sales()

            def receipt_ms() -> float:
                request = next(requests)
                sale = till.record_sale(
                    request.basket, request.receipt_number, request.tenders, member=request.member_id
                )
                cut = twin.receipts_cut
                while not first_bytes.empty():
                    first_bytes.get_nowait()
                durable_ns = time.monotonic_ns()
                till.print_receipt(sale)
                first_ns = first_bytes.get(timeout=EVENT_TIMEOUT_S)
                _until_cut(twin, cut + 1)
                return (first_ns - durable_ns) / 1e6

            for _ in range(3):  # The first receipt loads python-escpos and connects.
                receipt_ms()
            for _ in range(workshop.rounds):
                rounds.append(Round.of([receipt_ms() for _ in range(max(1, workshop.operations // 4))]))
                workshop.step()
    yield from _alone(rounds, WIRE_P50, WIRE_P99, at_most(5, "ours"))


def _alone(rounds: list[Round], p50: str, p99: str, target: Target) -> Iterator[Row]:
    """Rows of something that has no other side: the ratio is to the promised figure."""
    bound = [target.bound] * len(rounds)
    yield compared(p50, "ms", [one.p50_ms for one in rounds], bound, "the promise", target)
    yield compared(p99, "ms", [one.p99_ms for one in rounds], bound, "the promise", target)


@contextmanager
def _pos(agent: AgentProcess) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.pos", agent.address, agent.token]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as pos:
        try:
            yield pos
        finally:
            pos.kill()


def _codes() -> Iterator[str]:
    # Different each time: the same code at once is one scan.
    return (f"LOYALTY-{number:08d}" for number in itertools.count())


def _lines(process: subprocess.Popen[str]) -> queue.Queue[str]:
    """Read what a process prints in a thread, so that waiting for it can end."""
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    output = process.stdout

    def read() -> None:
        for line in output:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _until_heard(twin: ScannerTwin, codes: Iterator[str], events: queue.Queue[str]) -> None:
    """Scan until the POS listens and the agent has opened the port."""
    deadline = time.monotonic() + EVENT_TIMEOUT_S
    while time.monotonic() < deadline:
        twin.scan(next(codes))
        try:
            events.get(timeout=0.2)
        except queue.Empty:
            continue
        time.sleep(0.5)  # Scans that were kept for the listener come at once with the first.
        while not events.empty():
            events.get_nowait()
        return
    raise TimeoutError("no scan reached the POS: look at the agent's log")


def _scan_ms(twin: ScannerTwin, code: str, events: queue.Queue[str]) -> float:
    twin.scan(code)
    sent_ns = time.monotonic_ns()
    got, received_ns = events.get(timeout=EVENT_TIMEOUT_S).split()
    if got != code:
        raise RuntimeError(f"{got} came for {code}")
    return max(0, int(received_ns) - sent_ns) / 1e6


def _until_cut(twin: PrinterTwin, receipts: int) -> None:
    deadline = time.monotonic() + EVENT_TIMEOUT_S
    while twin.receipts_cut < receipts:
        if time.monotonic() > deadline:
            raise TimeoutError("the printer twin cut no receipt: look at the agent's log")
        time.sleep(0.001)


@contextmanager
def _relay(target: str) -> Iterator[tuple[str, queue.Queue[int]]]:
    """Stand between agent and printer, and note when bytes for the printer come, by the monotonic clock."""
    arrivals: queue.Queue[int] = queue.Queue()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        host, _, port = target.rpartition(":")
        while True:
            try:
                agent, _ = listener.accept()
            except OSError:
                return
            printer = socket.create_connection((host, int(port)))
            threading.Thread(target=_pump, args=(printer, agent, None), daemon=True).start()
            threading.Thread(target=_pump, args=(agent, printer, arrivals), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", arrivals
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # Ends the accepting; closing alone would not.
        listener.close()


def _pump(source: socket.socket, sink: socket.socket, arrivals: queue.Queue[int] | None) -> None:
    with source, sink:
        try:
            while data := source.recv(READ_BYTES):
                if arrivals is not None:
                    arrivals.put(time.monotonic_ns())
                sink.sendall(data)
        except OSError:
            return


SCAN = Subject(names=(SCAN_P50, SCAN_P99), measure=measure_scan)
FIRST_BYTE = Subject(names=(WIRE_P50, WIRE_P99), measure=measure_first_byte)
