"""Which scanner a command of a register goes to, and what the POS hears of it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest

from drivers.errors import CommandRefused, DeviceUnavailable, DriverError
from drivers.scanner.protocol import ScannerCommand
from drivers.scanner.reader import ScannerReader
from loyalty_sdk.errors import NotFound, ScannerCommandRefused, ScannerUnavailable
from loyalty_sdk.local import ScannerCall
from terminal_agent import scanners
from terminal_agent.scanners import InstalledScanner, Scanners
from terminal_agent.settings import ScannerSection
from tests.unit.terminal_agent.rig import context


class Reader:
    """A reader that answers commands as it is told."""

    def __init__(self, reason: DriverError | None = None, *, silent: bool = False) -> None:
        self.reason = reason
        self.silent = silent
        self.commands: list[ScannerCommand] = []

    def command(self, command: ScannerCommand) -> Future[None]:
        self.commands.append(command)
        future: Future[None] = Future()
        if self.reason is not None:
            future.set_exception(self.reason)
        elif not self.silent:
            future.set_result(None)
        return future


def installed(**readers: tuple[str, Reader]) -> Scanners:
    return Scanners(
        tuple(
            InstalledScanner(
                section=ScannerSection(name=name, port="/dev/null", register=register),
                reader=cast(ScannerReader, reader),
            )
            for name, (register, reader) in readers.items()
        )
    )


def call(register: str = "1", scanner: str = "", command: Any = "beep") -> ScannerCall:
    return ScannerCall(context=context(register=register), command=command, scanner=scanner)


async def test_the_only_scanner_of_a_register_needs_no_name() -> None:
    own, others = Reader(), Reader()
    subject = installed(front=("1", own), back=("2", others))
    status = await subject.command(call())
    assert (status.scanner, status.state, own.commands, others.commands) == ("front", "online", ["beep"], [])


async def test_of_several_scanners_one_is_named() -> None:
    front, hand = Reader(), Reader()
    subject = installed(front=("1", front), hand=("", hand))
    with pytest.raises(ScannerUnavailable, match="name one of front, hand"):
        await subject.command(call())
    await subject.command(call(scanner="hand", command="trigger"))
    assert hand.commands == ["trigger"]


async def test_the_scanner_of_another_register_is_not_reached() -> None:
    back = ("2", Reader())
    with pytest.raises(ScannerUnavailable, match="register 1 has no scanner"):
        await installed(back=back).command(call(scanner="back"))
    with pytest.raises(NotFound, match="is called 'back': name one of front"):
        await installed(back=back, front=("1", Reader())).command(call(scanner="back"))


async def test_what_the_scanner_says_reaches_the_pos(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScannerCommandRefused, match="scanner front: it does not"):
        await installed(front=("1", Reader(CommandRefused("it does not")))).command(call())
    with pytest.raises(ScannerUnavailable, match="plug it in"):
        await installed(front=("1", Reader(DeviceUnavailable("plug it in")))).command(call())
    monkeypatch.setattr(scanners, "COMMAND_TIMEOUT_S", 0.001)
    with pytest.raises(ScannerCommandRefused, match="gave no answer to beep"):
        await installed(front=("1", Reader(silent=True))).command(call())
