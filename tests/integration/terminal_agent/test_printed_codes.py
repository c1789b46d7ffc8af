"""Codes drawn by one independent library, read from their pictures by another, and sent as a scanner sends them.

segno and python-barcode draw, zxing-cpp reads; neither shares code with the agent. GS1 in two dimensions is drawn
by the writer of zxing-cpp, which is that of Zint and not the reader's own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

import barcode
import pytest
import segno
import zxingcpp
from barcode.writer import ImageWriter
from PIL import Image

from drivers.clock import SystemClock
from drivers.scanner.events import ScanEvent, ScannerEvent
from drivers.scanner.reader import ScannerReader
from drivers.scanner.settings import ScannerSettings
from drivers.scanner.ssi_twin import SsiScannerTwin
from drivers.scanner.twin import ScannerTwin
from loyalty_sdk.model import CodeKind, Scan
from terminal_agent.meaning import CodeRules, MeaningReader
from terminal_agent.scans import ScanDesk
from tests.support.agent_process import wait_until

FNC1 = "\xf1"
DESK = ScanDesk(MeaningReader(CodeRules(member_prefixes=("24",))), SystemClock().now)


class Printed(NamedTuple):
    """A code as it is drawn, and what must come out at the till."""

    drawn: str
    content: str
    kind: CodeKind
    value: str
    symbology: str
    ssi_type: int


PRINTED = [
    Printed("ean13", "400638133393", "gtin", "4006381333931", "EAN13", 0x0B),
    Printed("ean8", "9638507", "gtin", "96385074", "EAN8", 0x0A),
    Printed("upca", "01234567890", "gtin", "0012345678905", "EAN13", 0x0B),
    Printed("itf", "10614141123459", "gtin", "10614141123459", "ITF", 0x06),
    Printed("ean13", "240000012345", "member", "2400000123453", "EAN13", 0x0B),
    Printed("code39", "LM12345Y", "member", "LM12345Y", "CODE39", 0x01),
    Printed("code128", "529.982.247-25", "cpf", "52998224725", "CODE128", 0x03),
    Printed("code128", "501964843", "nif", "501964843", "CODE128", 0x03),
    Printed("gs1_128", f"010061414112345210A{FNC1}21B", "gs1", "00614141123452", "EAN128", 0x0F),
    Printed("gs1-DataMatrix", "(01)00614141123452(10)A(21)B", "gs1", "00614141123452", "GS1DATAMATRIX", 0xC1),
    Printed("gs1-QRCode", "(01)00614141123452(10)A(21)B", "gs1", "00614141123452", "GS1QRCODE", 0xC2),
    Printed("gs1-DataBarExp", "(01)00614141123452(10)A(21)B", "gs1", "00614141123452", "GS1DATABAR", 0x32),
    Printed("qr", "https://id.gs1.org/01/09506000134352/10/ABC", "digital_link", "09506000134352", "QRCODE", 0x1C),
    Printed("qr", "12.ABC.345/01DE-35", "cnpj", "12ABC34501DE35", "QRCODE", 0x1C),
    Printed("qr", "X2482300W", "nie", "X2482300W", "QRCODE", 0x1C),
    Printed("qr", "+5511987654321", "phone", "+5511987654321", "QRCODE", 0x1C),
    Printed("qr-eci", "João \\ €", "unknown", "João \\ €", "QRCODE", 0x1C),
]


def picture(printed: Printed) -> Image.Image:
    if printed.drawn.startswith("qr"):
        file = io.BytesIO()
        eci = printed.drawn == "qr-eci"
        drawn = segno.make(printed.content, micro=False, eci=eci, encoding="utf-8" if eci else None)
        drawn.save(file, kind="png", scale=4)
        return Image.open(file)
    if printed.drawn.startswith("gs1-"):
        code = zxingcpp.create_barcode(printed.content, getattr(zxingcpp, printed.drawn[4:]), gs1=True)
        return Image.fromarray(code.to_image(scale=5))
    options = {"add_checksum": False} if printed.drawn == "code39" else {}
    kind = barcode.get_barcode_class(printed.drawn)
    image: Image.Image = kind(printed.content, writer=ImageWriter(), **options).render({"module_width": 0.4})
    return image


def read(printed: Printed) -> tuple[bytes, bytes]:
    """The AIM identifier and the bytes that a scanner sends for the picture."""
    mode = zxingcpp.TextMode.ECI if printed.drawn == "qr-eci" else zxingcpp.TextMode.Plain
    (found,) = zxingcpp.read_barcodes(picture(printed), text_mode=mode)
    if mode is zxingcpp.TextMode.ECI:
        # What stands in `text` is what a scanner in ECI mode sends, its identifier included.
        return found.text[:3].encode(), found.text[3:].encode()
    return found.symbology_identifier.encode(), found.bytes


class Till:
    """What arrives at the POS of one scanner."""

    def __init__(self, twin: ScannerTwin, protocol: str) -> None:
        self.scans: list[Scan] = []
        settings = ScannerSettings(
            name="counter", port=twin.path, protocol=protocol, duplicate_window_ms=0  # type: ignore[arg-type]  # A name.
        )  # fmt: skip
        self.reader = ScannerReader(settings, self.hear, clock=SystemClock(), random=lambda: 0.5)
        self.reader.start()
        wait_until(lambda: self.reader.status is not None, "an open port")

    def hear(self, event: ScannerEvent) -> None:
        if isinstance(event, ScanEvent):
            self.scans.append(DESK.of_event(event))

    def next_scan(self, send: Callable[[], object]) -> Scan:
        before = len(self.scans)
        send()
        wait_until(lambda: len(self.scans) > before, "the scan")
        (scan,) = self.scans[before:]
        return scan


@pytest.fixture(scope="module")
def plain() -> Iterator[tuple[ScannerTwin, Till]]:
    with ScannerTwin() as twin:
        till = Till(twin, "plain")
        yield twin, till
        till.reader.stop()


@pytest.fixture(scope="module")
def ssi() -> Iterator[tuple[SsiScannerTwin, Till]]:
    with SsiScannerTwin(answer_s=20.0) as twin:
        till = Till(twin, "ssi")
        yield twin, till
        till.reader.stop()


EACH = pytest.mark.parametrize("printed", PRINTED, ids=lambda printed: f"{printed.drawn}-{printed.kind}")


def check(scan: Scan, printed: Printed) -> None:
    assert (scan.kind, scan.value, scan.symbology) == (printed.kind, printed.value, printed.symbology)
    if printed.kind == "gs1":
        assert [(element.ai, element.value) for element in scan.elements] == [
            ("01", "00614141123452"),
            ("10", "A"),
            ("21", "B"),
        ]


@EACH
def test_a_printed_code_arrives_with_its_meaning(printed: Printed, plain: tuple[ScannerTwin, Till]) -> None:
    twin, till = plain
    identifier, content = read(printed)
    scan = till.next_scan(lambda: twin.scan(identifier + content, suffix=b"\r\n", splits=(1, 4)))
    check(scan, printed)
    assert scan.raw == identifier + content


@EACH
def test_the_same_over_ssi_with_and_without_an_identifier(printed: Printed, ssi: tuple[SsiScannerTwin, Till]) -> None:
    twin, till = ssi
    identifier, content = read(printed)
    check(till.next_scan(lambda: twin.scan_code(identifier + content, printed.ssi_type)), printed)
    if printed.drawn != "qr-eci":  # Its escapes are told by the identifier alone.
        check(till.next_scan(lambda: twin.scan_code(content, printed.ssi_type)), printed)
