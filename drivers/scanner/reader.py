"""One scanner on one serial port: a thread that reads, frames, decodes, reports, and reopens a lost port.

Laws:
1. The port belongs to the thread: no other thread reads, closes or reopens it.
2. Every failure of the port is OFFLINE, told once; the partial scan is dropped; the old handle is closed
   before the port is opened again.
3. A scanner that was disabled is disabled again when it comes back.
4. A listener that fails costs its event, never the thread; nor does any other error end it.

Does not know what a code means, and queues nothing: the listener is called on this thread and must not block.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from drivers.backoff import Backoff
from drivers.clock import Clock
from drivers.errors import DeviceError, DeviceUnavailable, DriverError
from drivers.scanner.duplicates import DuplicateFilter
from drivers.scanner.events import OnScannerEvent, ScanEvent, ScannerEvent, ScannerStatusEvent
from drivers.scanner.framing import Framer
from drivers.scanner.orders import Orders
from drivers.scanner.protocol import Frame, ScannerCommand, ScannerProtocol
from drivers.scanner.serial_port import ScannerPort, open_serial_port
from drivers.scanner.settings import ScannerSettings
from drivers.scanner.ssi import Ssi
from drivers.scanner.symbology import decode
from drivers.state import DeviceState

__all__ = ["ScannerReader", "protocol_of"]

_log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 10.0


class ScannerReader:
    """Reads one scanner from `start` to `stop`.

    `on_event` gets ScanEvent and ScannerStatusEvent on the reader's thread.

    `random` returns numbers in [0, 1) for the pauses between attempts to open the port.
    """

    def __init__(
        self,
        settings: ScannerSettings,
        on_event: OnScannerEvent,
        *,
        clock: Clock,
        random: Callable[[], float],
        open_port: Callable[[ScannerSettings], ScannerPort] = open_serial_port,
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._clock = clock
        self._open_port = open_port
        self._backoff = Backoff(first_s=settings.reopen_first_s, limit_s=settings.reopen_limit_s, random=random)
        self._duplicates = DuplicateFilter(settings.duplicate_window_ms / 1000)
        self._orders = Orders()
        self._is_disabled = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"scanner-{settings.name}", daemon=True)
        self._status: ScannerStatusEvent | None = None
        self.dropped_frames = 0

    @property
    def status(self) -> ScannerStatusEvent | None:
        """What the scanner is now, with the latest reason; None before the first attempt to open the port."""
        return self._status

    def command(self, command: ScannerCommand) -> Future[None]:
        """Give the scanner a command, from any thread; the future ends with None, or with the DriverError."""
        status = self._status
        if status is not None and status.state is DeviceState.ONLINE:
            future = self._orders.put(command)
            future.add_done_callback(lambda ended: self._remember(command, ended))
            return future
        future = Future()
        reason = status.reason if status else "it was not opened yet: try again shortly"
        future.set_exception(DeviceUnavailable(f"scanner {self._settings.name} is offline: {reason}"))
        return future

    def start(self) -> None:
        """Begin to read; returns at once. A reader starts once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port; returns when both are done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read_until_lost()
            except DeviceError as error:
                self._pause(str(error))
            except Exception:
                _log.exception("scanner %s: unexpected failure", self._settings.name)
                self._pause("the scanner's driver failed: its log says how")

    def _pause(self, reason: str) -> None:
        self._orders.fail_all(DeviceUnavailable(f"scanner {self._settings.name} is offline: {reason}"))
        self._set_status(DeviceState.OFFLINE, reason)
        self._stopping.wait(self._backoff.next_s())

    def _read_until_lost(self) -> None:
        port = self._open_port(self._settings)
        try:
            self._set_status(DeviceState.ONLINE)
            self._read(port)
        finally:
            port.close()

    def _read(self, port: ScannerPort) -> None:
        protocol = protocol_of(self._settings)
        line_s = 0.0
        if self._is_disabled:
            protocol.send(ScannerCommand.DISABLE, line_s, self._note_disabled_again)
        while not self._stopping.is_set():
            began_s = self._clock.monotonic()
            data = port.read()
            # Only silence that was listened to counts as a gap. A thread that was kept from running for a
            # while finds bytes that came long ago, and must not cut a scan in two because of its own pause.
            line_s += min(self._clock.monotonic() - began_s, port.read_timeout_s)
            self._backoff.reset()
            for frame in protocol.receive(data, line_s):
                self._deliver(frame)
            self._orders.give_next(protocol, line_s)
            if outgoing := protocol.take_outgoing():
                port.write(outgoing)
            self._count_dropped(protocol)

    def _remember(self, command: ScannerCommand, future: Future[None]) -> None:
        done = not future.cancelled() and future.exception() is None
        if done and command in (ScannerCommand.ENABLE, ScannerCommand.DISABLE):
            self._is_disabled = command is ScannerCommand.DISABLE

    def _note_disabled_again(self, reason: DriverError | None) -> None:
        if reason is not None:
            _log.warning("scanner %s came back and could not be disabled again: %s", self._settings.name, reason)

    def _deliver(self, frame: Frame) -> None:
        if not self._duplicates.is_new(frame.data, self._clock.monotonic()):
            return
        settings = self._settings
        scan = decode(
            frame.data,
            encoding_fallback=settings.encoding_fallback,
            gs_substitute=settings.gs_substitute,
            told=frame.symbology,
        )
        self._report(
            ScanEvent(
                scanner=settings.name,
                data=scan.data,
                raw=frame.data,
                symbology=scan.symbology,
                received_at=self._clock.now(),
            )
        )

    def _count_dropped(self, protocol: ScannerProtocol) -> None:
        if protocol.dropped_frames:
            self.dropped_frames += protocol.dropped_frames
            protocol.dropped_frames = 0
            _log.warning(
                "scanner %s: noise was dropped; check its cable and that baud_rate is the scanner's own",
                self._settings.name,
            )

    def _set_status(self, state: DeviceState, reason: str = "") -> None:
        changed = self._status is None or self._status.state is not state
        self._status = ScannerStatusEvent(scanner=self._settings.name, state=state, reason=reason)
        if changed:
            self._report(self._status)

    def _report(self, event: ScannerEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            _log.exception("scanner %s: its listener failed; the event is lost", self._settings.name)


def protocol_of(settings: ScannerSettings) -> ScannerProtocol:
    """Return the protocol that the scanner is configured for, with nothing received yet."""
    gap_s = None if settings.idle_gap_ms is None else settings.idle_gap_ms / 1000
    if settings.protocol == "ssi":
        assert gap_s is not None  # ScannerSettings sees to it.
        return Ssi(
            silence_s=gap_s,
            frame_bytes_max=settings.frame_bytes_max,
            suffixes=settings.suffixes,
            prefix=settings.prefix,
        )
    return Framer(
        suffixes=settings.suffixes,
        idle_gap_s=gap_s,
        frame_bytes_max=settings.frame_bytes_max,
        frame_duration_s_max=settings.frame_duration_ms_max / 1000,
        prefix=settings.prefix,
    )
