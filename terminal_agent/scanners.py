"""The scanners of this agent: their scans and states go to the registers, commands of a register go to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from drivers.clock import Clock
from drivers.errors import CommandRefused, DeviceError
from drivers.scanner.events import ScanEvent, ScannerEvent
from drivers.scanner.protocol import ScannerCommand
from drivers.scanner.reader import ScannerReader
from loyalty_sdk.errors import NotFound, ScannerCommandRefused, ScannerUnavailable
from loyalty_sdk.local import ScannerCall
from loyalty_sdk.model import ScannerStatus
from terminal_agent.events import EventHub
from terminal_agent.scans import ScanDesk
from terminal_agent.settings import ScannerSection

__all__ = ["InstalledScanner", "Scanners"]

COMMAND_TIMEOUT_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledScanner:
    """A scanner of the configuration and the thread that reads it."""

    section: ScannerSection
    reader: ScannerReader


class Scanners:
    """Every scanner of the configuration."""

    def __init__(self, installed: tuple[InstalledScanner, ...], warm_up: Callable[[], None] | None = None) -> None:
        """`warm_up` is run once in the background, so that the first scan is as quick as the others."""
        self._installed = installed
        self._warm_up = warm_up

    @classmethod
    def build(
        cls,
        sections: tuple[ScannerSection, ...],
        *,
        desk: ScanDesk,
        hub: EventHub,
        clock: Clock,
        random: Callable[[], float],
    ) -> Scanners:
        """Make the readers; nothing is opened yet."""
        return cls(tuple(_install(section, desk, hub, clock, random) for section in sections), desk.warm_up)

    def start(self) -> None:
        """Start to read; a scanner that is missing is reported and looked for again and again."""
        for one in self._installed:
            one.reader.start()
        if self._installed and self._warm_up is not None:
            threading.Thread(target=self._warm_up, name="scanner-warm-up", daemon=True).start()

    def stop(self) -> None:
        """Stop reading and close the ports."""
        for one in self._installed:
            one.reader.stop()

    async def command(self, call: ScannerCall) -> ScannerStatus:
        """Give a scanner of the caller's register a command.

        Raises NotFound for a name that none of them has, ScannerUnavailable, ScannerCommandRefused.
        """
        name, reader = self._of(call)
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await asyncio.wrap_future(reader.command(ScannerCommand(call.command)))
        except CommandRefused as error:
            raise ScannerCommandRefused(f"scanner {name}: {error}") from None
        except DeviceError as error:
            raise ScannerUnavailable(str(error)) from None
        except TimeoutError:
            raise ScannerCommandRefused(f"scanner {name} gave no answer to {call.command}: check its cable") from None
        return ScannerStatus(scanner=name, state="online")

    def _of(self, call: ScannerCall) -> tuple[str, ScannerReader]:
        register = call.context.register
        own = [one for one in self._installed if one.section.register in ("", register)]
        named = [one for one in own if call.scanner in ("", one.section.name)]
        if len(named) == 1:
            return named[0].section.name, named[0].reader
        names = ", ".join(one.section.name for one in own)
        if not own:
            raise ScannerUnavailable(f"register {register} has no scanner: see [[scanner]] in agent.toml")
        if not named:
            raise NotFound(f"no scanner of register {register} is called {call.scanner!r}: name one of {names}")
        raise ScannerUnavailable(f"register {register} has several scanners: name one of {names}")


def _install(
    section: ScannerSection, desk: ScanDesk, hub: EventHub, clock: Clock, random: Callable[[], float]
) -> InstalledScanner:
    def on_event(event: ScannerEvent) -> None:
        if isinstance(event, ScanEvent):
            hub.scanned(section.register, desk.of_event(event))
        else:
            status = ScannerStatus(scanner=event.scanner, state=event.state.value, reason=event.reason)
            hub.scanner_changed(section.register, status)

    reader = ScannerReader(section.driver_settings(), on_event, clock=clock, random=random)
    return InstalledScanner(section=section, reader=reader)
