"""The twins behave as devices do when they are pulled out, switched off or not read."""

import os
import socket
from pathlib import Path

import pytest

from drivers.printer.twin import PrinterTwin
from drivers.scanner.twin import ScannerTwin


def test_a_scanner_twin_comes_and_goes_with_its_link(tmp_path: Path) -> None:
    link = tmp_path / "usb-Scanner-if00"
    with ScannerTwin(link=link) as twin:
        assert twin.path == str(link)
        assert os.stat(link).st_rdev
        twin.unplug()
        twin.unplug()
        assert not link.is_symlink()
        with pytest.raises(OSError, match="plug_in"):
            twin.scan("x")
        twin.plug_in()
        twin.plug_in()
        assert link.exists()
    assert not link.is_symlink()


def test_a_scanner_twin_leaks_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with ScannerTwin() as twin:
            twin.unplug()
            twin.plug_in()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_printer_twin_keeps_its_port_and_its_paper_over_power(printer_twin: PrinterTwin) -> None:
    address = printer_twin.address
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"one\n\x1dV\x00\x10\x04\x01")
        assert connection.recv(10) == b"\x12"
        printer_twin.power_off()
        assert connection.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    printer_twin.power_on()
    printer_twin.power_on()
    assert printer_twin.address == address
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"two\n\x1dV\x00\x10\x04\x01")
        assert connection.recv(10) == b"\x12"
    assert printer_twin.receipts() == ["one\n", "two\n"]


def test_a_printer_twin_shows_each_receipt_by_its_number(printer_twin: PrinterTwin) -> None:
    host, port = printer_twin.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"one\n\x1dV\x00two\n\x1dV\x00three\n\x10\x04\x01")
        assert connection.recv(10) == b"\x12"
    assert [printer_twin.receipt(number).text for number in (1, 2)] == ["one\n", "two\n"]
    assert printer_twin.png() == printer_twin.receipt(2).png() != printer_twin.receipt(1).png()
    assert printer_twin.uncut_png()[:4] == b"\x89PNG"
    for number in (0, 3):
        with pytest.raises(IndexError, match="2 are"):
            printer_twin.receipt(number)
