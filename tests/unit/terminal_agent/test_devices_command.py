"""`loyalty-agent devices` and `loyalty-agent scan-test`: what they show, and what they say where they cannot."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import ports
from drivers.errors import DeviceUnavailable
from drivers.ports import SCANNER_VENDORS, Port
from drivers.scanner.serial_port import ScannerPort, open_serial_port
from drivers.scanner.settings import ScannerSettings
from drivers.scanner.ssi_twin import SsiScannerTwin
from drivers.scanner.twin import ScannerTwin
from terminal_agent import scan_test
from terminal_agent.cli import main

CENTRAL = '[central]\nurl = "http://127.0.0.1:9"\n'
SCANNER = Port(
    path="/dev/ttyACM0", stable_port="usb:0c2e:0b6a:A1", vendor_id=0x0C2E, product_id=0x0B6A, guess="scanner"
)


@pytest.fixture
def twin() -> Iterator[ScannerTwin]:
    with ScannerTwin() as twin:
        yield twin


def configure(folder: Path, *sections: tuple[str, str]) -> None:
    scanners = "".join(f'[[scanner]]\nname = "{name}"\nport = "{port}"\n' for name, port in sections)
    (folder / "agent.toml").write_text(CENTRAL + scanners)


def find(monkeypatch: pytest.MonkeyPatch, *found: Port) -> None:
    for module in (ports, scan_test):
        monkeypatch.setattr(module, "list_ports", lambda *arguments: found)


def test_ports_are_shown_with_what_to_configure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    find(monkeypatch, SCANNER)
    assert main(["devices", "--directory", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "guess        scanner" in shown
    assert 'port = "usb:0c2e:0b6a:A1"' in shown


def test_a_configured_scanner_is_shown_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    find(monkeypatch, SCANNER)
    configure(tmp_path, ("counter", "/dev/ttyACM0"), ("away", "usb:0c2e:ffff"))
    assert main(["devices", "--directory", str(tmp_path), "--json"]) == 0
    (port,) = json.loads(capsys.readouterr().out)
    assert (port["configured_as"], port["usb"], port["guess"]) == ("counter", "0c2e:0b6a", "scanner")


def test_a_machine_without_ports_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    find(monkeypatch)
    assert main(["devices", "--directory", str(tmp_path)]) == 0
    assert "as a keyboard it is no serial device" in capsys.readouterr().out


def test_ports_that_cannot_be_listed_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken() -> tuple[Port, ...]:
        raise DeviceUnavailable("they could not be listed: unplug it")

    monkeypatch.setattr(ports, "list_ports", broken)
    assert main(["devices", "--directory", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "loyalty-agent devices: they could not be listed: unplug it\n"


def test_scanner_12_the_udev_rule_keeps_modemmanager_from_every_maker(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--udev-rule"]) == 0
    rule = capsys.readouterr().out
    lines = [line for line in rule.splitlines() if line and not line.startswith("#")]
    told = {int(match[1], 16) for line in lines if (match := re.match(r'ATTRS\{idVendor\}=="([0-9a-f]{4})", ', line))}
    assert told == set(SCANNER_VENDORS)
    assert all('ENV{ID_MM_DEVICE_IGNORE}="1"' in line for line in lines if "idVendor" in line)
    assert (lines[0], lines[-1]) == ('ACTION=="remove", GOTO="loyalty_scanners_end"', 'LABEL="loyalty_scanners_end"')
    # The only operators that udev knows in such a line.
    assert all(re.fullmatch(r'(?:[A-Z{}_a-zA-Z]+(?:==|!=|=)"[^"]*"(?:, )?)+', line) for line in lines)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once the port is open: what is sent before that is gone with the opening."""
    opened = threading.Event()

    def open_port(settings: ScannerSettings) -> ScannerPort:
        port = open_serial_port(settings)
        opened.set()
        return port

    monkeypatch.setattr(scan_test, "open_serial_port", open_port)
    return opened


def scan_in_background(opened: threading.Event, send: Callable[[], object]) -> threading.Thread:
    def scan() -> None:
        assert opened.wait(60)
        send()

    thread = threading.Thread(target=scan, daemon=True)
    thread.start()
    return thread


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_arrives_is_shown_byte_by_byte_and_decoded(
    twin: ScannerTwin, opened: threading.Event, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    thread = scan_in_background(opened, lambda: twin.send(b"]C1010061414112345210A\x1d21B\r"))
    assert main(["scan-test", twin.path, "--scans", "1", "--seconds", "60", "--directory", str(tmp_path)]) == 0
    thread.join()
    shown = capsys.readouterr().out
    assert f"online  {twin.path}" in shown
    assert "5d 43 31" in shown
    assert "<GS>21B" in shown
    assert "scan    EAN128 120: 010061414112345210A<GS>21B" in shown
    assert "gs1 00614141123452 (01)00614141123452 (10)A (21)B" in shown


def test_the_same_as_json(
    twin: ScannerTwin, opened: threading.Event, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    thread = scan_in_background(opened, lambda: twin.send(b"529.982.247-25\r"))
    arguments = ["scan-test", twin.path, "--scans", "1", "--seconds", "60", "--json", "--directory", str(tmp_path)]
    assert main(arguments) == 0
    thread.join()
    status, *received, scan = lines_of(capsys.readouterr().out)
    assert (status["event"], status["state"]) == ("status", "online")
    assert bytes.fromhex("".join(one["hex"] for one in received)) == b"529.982.247-25\r"
    assert (scan["event"], scan["kind"], scan["value"]) == ("scan", "cpf", "52998224725")


def test_ssi_is_shown_too(opened: threading.Event, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with SsiScannerTwin(answer_s=20.0) as twin:
        thread = scan_in_background(opened, lambda: twin.scan_code(b"4711"))
        arguments = ["scan-test", twin.path, "--protocol", "ssi", "--scans", "1", "--seconds", "60"]
        assert main([*arguments, "--directory", str(tmp_path)]) == 0
        thread.join()
    assert "scan    CODE128 110: 4711" in capsys.readouterr().out


def test_it_ends_after_its_time_and_takes_the_configured_scanner(
    twin: ScannerTwin, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure(tmp_path, ("counter", twin.path))
    assert main(["scan-test", "--seconds", "0.2", "--directory", str(tmp_path)]) == 0
    assert main(["scan-test", "counter", "--seconds", "0.2", "--directory", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(f"online  {twin.path}") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "agent.toml has no scanner 'nobody'; it has: none"),
        (["/dev/none"], "/dev/none does not exist: plug the device in"),
        (["usb:zz"], "usb:VID:PID"),
        ([], "name the scanner or its port"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    says: str,
) -> None:
    find(monkeypatch, SCANNER, SCANNER)
    assert main(["scan-test", *arguments, "--directory", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)
    assert says in captured.err


def test_the_only_port_that_looks_like_a_scanner_is_taken(
    monkeypatch: pytest.MonkeyPatch, twin: ScannerTwin, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    find(monkeypatch, Port(path=twin.path, stable_port=twin.path, guess="scanner"))
    assert main(["scan-test", "--seconds", "0.2", "--directory", str(tmp_path)]) == 0
    assert f"online  {twin.path}" in capsys.readouterr().out
