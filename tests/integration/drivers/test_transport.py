"""Every way to a printer, on real sockets, pseudo-terminals and files: bounded, and with errors that name a remedy."""

import os
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.errors import DeviceLost, DeviceUnavailable
from drivers.printer.settings import PrinterSettings, TransportName
from drivers.printer.transport import UsbConnection, open_connection
from drivers.printer.twin import PrinterTwin


def settings(transport: TransportName, address: str, write_timeout_s: float = 5.0) -> PrinterSettings:
    return PrinterSettings(name="front", transport=transport, address=address, write_timeout_s=write_timeout_s)


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the printer's end and the path of ours."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    for descriptor in (ours, theirs):
        os.close(descriptor)


def test_tcp_sends_whole_jobs_and_reads_answers(printer_twin: PrinterTwin) -> None:
    connection = open_connection(settings("tcp", printer_twin.address))
    connection.send(b"x" * 57_000 + b"\n\x1dV\x00\x10\x04\x01")
    assert connection.receive(5.0) == b"\x12"
    assert connection.receive(0.0) == b""
    assert connection.receive(0.01) == b""
    connection.close()
    connection.close()
    assert printer_twin.receipts_cut == 1


def test_tcp_refused_names_the_remedy(printer_twin: PrinterTwin) -> None:
    printer_twin.power_off()
    with pytest.raises(DeviceUnavailable, match="switch it on and check its network"):
        open_connection(settings("tcp", printer_twin.address))


def test_tcp_to_a_peer_that_never_reads_is_bounded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        connection = open_connection(settings("tcp", address, write_timeout_s=0.1))
        peer, _ = server.accept()
        with peer, pytest.raises(DeviceLost, match="network cable"):
            connection.send(b"x" * 50_000_000)
        connection.close()


def test_tcp_a_peer_that_hangs_up_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = open_connection(settings("tcp", f"127.0.0.1:{server.getsockname()[1]}"))
        server.accept()[0].close()
        with pytest.raises(DeviceLost, match="closed the connection"):
            connection.receive(5.0)
        connection.close()


def test_tcp_closing_with_unread_answers_does_not_reset_the_job() -> None:
    closing, got = threading.Event(), bytearray()

    def answer_first_and_read_late(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"\x12" * 100)
            assert closing.wait(20)
            while data := connection.recv(65536):
                got.extend(data)

    with socket.socket() as server:
        # A printer's buffer is small: most of the job still waits on our side when we close.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        printer = threading.Thread(target=answer_first_and_read_late, args=(server,))
        printer.start()
        connection = open_connection(settings("tcp", f"127.0.0.1:{server.getsockname()[1]}"))
        connection.send(b"x" * 57_000)
        closing.set()
        connection.close()
        printer.join(20)
    assert len(got) == 57_000


@pytest.mark.parametrize("transport", ["serial", "device"])
def test_serial_and_device_send_and_read(transport: TransportName, terminal: tuple[int, str]) -> None:
    printer_end, path = terminal
    connection = open_connection(settings(transport, path))
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(os.read(printer_end, 100)))
    reader.start()
    connection.send(b"receipt\n")
    reader.join(20)
    assert got == [b"receipt\n"]
    assert connection.receive(0.0) == b""
    assert connection.receive(0.01) == b""
    os.write(printer_end, b"\x12")
    assert connection.receive(5.0) == b"\x12"
    connection.close()
    connection.close()


@pytest.mark.parametrize("transport", ["serial", "device"])
def test_serial_and_device_that_stop_taking_bytes_are_bounded(
    transport: TransportName, terminal: tuple[int, str]
) -> None:
    connection = open_connection(settings(transport, terminal[1], write_timeout_s=0.1))
    with pytest.raises(DeviceLost):
        connection.send(b"x" * 1_000_000)
    connection.close()


@pytest.mark.parametrize("transport", ["serial", "device", "file"])
def test_a_missing_path_names_the_remedy(transport: TransportName, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=r"plug|correct"):
        open_connection(settings(transport, str(tmp_path / "missing" / "lp0")))


def test_a_device_is_never_created(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        open_connection(settings("device", str(tmp_path / "lp0")))
    (tmp_path / "plain").touch()
    with pytest.raises(DeviceUnavailable, match="not a device"):
        open_connection(settings("device", str(tmp_path / "plain")))
    assert not (tmp_path / "lp0").exists()


def test_a_file_takes_jobs_one_after_the_other(tmp_path: Path) -> None:
    for job in (b"one\n", b"two\n"):
        connection = open_connection(settings("file", str(tmp_path / "receipts.bin")))
        connection.send(job)
        assert connection.receive(0.0) == b""
        connection.close()
    assert (tmp_path / "receipts.bin").read_bytes() == b"one\ntwo\n"


@pytest.fixture
def usb(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A kernel that shows printers on USB as Linux does: (sysfs, devices); a device file may be a real terminal."""

    def plug(printers: dict[str, tuple[str, str, str, str]]) -> tuple[Path, Path]:
        sysfs, devices = tmp_path / "sys", tmp_path / "dev"
        for folder in (sysfs / "class/usbmisc", devices):
            folder.mkdir(parents=True)
        for number, (name, (vendor, product, serial, path)) in enumerate(printers.items()):
            device = sysfs / f"devices/usb1/1-{number}"
            interface = device / f"1-{number}:1.0"
            interface.mkdir(parents=True)
            for file, text in (("idVendor", vendor), ("idProduct", product), ("serial", serial)):
                if text:
                    (device / file).write_text(text + "\n")
            (sysfs / "class/usbmisc" / name).mkdir()
            (sysfs / "class/usbmisc" / name / "device").symlink_to(interface)
            (devices / name).symlink_to(path)
        return sysfs, devices

    return plug


@pytest.mark.parametrize("address", ["04b8:0202", "04B8:0202:J7K5"])
def test_usb_finds_a_printer_by_its_ids(
    address: str, usb: Callable[..., tuple[Path, Path]], terminal: tuple[int, str]
) -> None:
    printer_end, path = terminal
    sysfs, devices = usb({"lp0": ("0519", "0003", "", os.devnull), "lp3": ("04b8", "0202", "J7K5", path)})
    connection = UsbConnection(settings("usb", address), sysfs=sysfs, devices=devices)
    connection.send(b"receipt\n")
    assert os.read(printer_end, 100) == b"receipt\n"
    connection.close()


def test_usb_that_is_not_here_names_what_is_and_the_remedy(usb: Callable[..., tuple[Path, Path]]) -> None:
    sysfs, devices = usb({"lp0": ("0519", "0003", "12", os.devnull)})
    for address in ("04b8:0202", "0519:0003:13"):
        with pytest.raises(DeviceUnavailable, match=r"found: 0519:0003:12.*usblp"):
            UsbConnection(settings("usb", address), sysfs=sysfs, devices=devices)
    with pytest.raises(DeviceUnavailable, match="found: none"):
        UsbConnection(settings("usb", "04b8:0202"), sysfs=sysfs / "missing", devices=devices)
