"""What a printer lacks, in another way: a code as a picture or as text, a cut as empty paper. Gives no bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from drivers.printer.codes import barcode_dots, barcode_modules, qr_bytes, qr_dots, qr_modules
from drivers.printer.document import (
    Align,
    Barcode,
    Cut,
    Document,
    DrawerPulse,
    Element,
    Feed,
    Logo,
    QrCode,
    TextLine,
)
from drivers.printer.profile import Feature, PrinterProfile

__all__ = ["fitted"]

# Enough to tear the paper off below the last line.
_TEAR_LINES = 4
# A code of so many bytes is at most 37 squares wide (version 5, level L) and fits every paper at the usual size: most
# codes need not be drawn here to know that.
_SMALL_QR_BYTES = 100
_SMALL_QR_MODULES = 37
_BARCODE_MODULE_DOTS = 2


def fitted(document: Document, profile: PrinterProfile) -> Document:
    """Return the document with nothing in it that this printer cannot print."""
    return Document(elements=tuple(part for element in document.elements for part in _parts(element, profile)))


def _parts(element: Element, profile: PrinterProfile) -> Iterator[Element]:
    if isinstance(element, QrCode):
        if qr_bytes(element):
            yield _qr(element, profile)
    elif isinstance(element, Barcode):
        yield from _barcode(element, profile)
    elif isinstance(element, Logo):
        if profile.supports(Feature.RASTER) and element.width_dots <= profile.dots:
            yield element
    elif isinstance(element, Cut):
        yield element if profile.supports(Feature.CUT) else Feed(lines=_TEAR_LINES)
    elif not isinstance(element, DrawerPulse) or profile.supports(Feature.DRAWER):
        yield element


def _qr(code: QrCode, profile: PrinterProfile) -> Element:
    if profile.supports(Feature.QR):
        return _narrowed(code, profile.dots)
    if profile.supports(Feature.RASTER):
        return qr_dots(code, dots_max=profile.dots)
    return TextLine(text=code.data, align=Align.CENTER)


def _narrowed(code: QrCode, dots: int) -> QrCode:
    """A printer prints nothing at all of a code that is wider than its paper."""
    if len(qr_bytes(code)) <= _SMALL_QR_BYTES and code.module_dots * _SMALL_QR_MODULES <= dots:
        return code
    return replace(code, module_dots=max(1, min(code.module_dots, dots // qr_modules(code))))


def _barcode(code: Barcode, profile: PrinterProfile) -> Iterator[Element]:
    if profile.supports(Feature.BARCODE) and len(barcode_modules(code)) * _BARCODE_MODULE_DOTS <= profile.dots:
        yield code
        return
    picture = barcode_dots(code, dots_max=profile.dots) if profile.supports(Feature.RASTER) else None
    if picture is not None:
        yield picture
    if picture is None or code.show_text:
        yield TextLine(text=code.data, align=Align.CENTER)
