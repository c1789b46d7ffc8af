"""QR codes and barcodes as dots, for printers that draw none themselves and for pictures of receipts.

The codes come from the libraries qrcode and python-barcode, which load with the first code. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drivers.printer.document import Barcode, BarcodeSymbology, Logo, QrCode

__all__ = ["barcode_dots", "barcode_modules", "qr_bytes", "qr_dots", "qr_modules"]

# White around a code, in modules, without which scanners do not find it (ISO/IEC 18004 and ISO/IEC 15417).
_QR_QUIET_MODULES = 4
_BARCODE_QUIET_MODULES = 10
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))


def qr_bytes(code: QrCode) -> bytes:
    """Return what the code holds: UTF-8 without control characters, which some printers obey even in here."""
    return code.data.translate(_CONTROLS).encode(errors="replace")


def qr_modules(code: QrCode) -> int:
    """Return how many squares the code is wide, without the white around it."""
    return len(_qr_matrix(code))


def qr_dots(code: QrCode, *, dots_max: int) -> Logo:
    """Return the code as a picture with white around it, its squares made smaller where the paper asks for it."""
    matrix = _qr_matrix(code)
    modules = len(matrix) + 2 * _QR_QUIET_MODULES
    scale = max(1, min(code.module_dots, dots_max // modules))
    blank = [False] * modules
    side = [False] * _QR_QUIET_MODULES
    rows = [blank] * _QR_QUIET_MODULES + [[*side, *row, *side] for row in matrix] + [blank] * _QR_QUIET_MODULES
    return _scaled(rows, across=scale, down=scale)


def barcode_modules(code: Barcode) -> str:
    """Return the bars and spaces of the code, "1" for a black module, with white at both ends."""
    import barcode as library

    # The library's own name for an EAN keeps the check digit that it computes: ours is checked already.
    name, data = ("ean13", code.data[:12]) if code.symbology is BarcodeSymbology.EAN13 else ("code128", code.data)
    bars: str = library.get_barcode_class(name)(data).build()[0]
    quiet = "0" * _BARCODE_QUIET_MODULES
    return quiet + bars.replace("G", "1") + quiet


def barcode_dots(code: Barcode, *, dots_max: int) -> Logo | None:
    """Return the code as a picture, without its text; None where it does not fit the paper."""
    modules = barcode_modules(code)
    scale = min(2, dots_max // len(modules))
    return _scaled([[module == "1" for module in modules]], across=scale, down=code.height_dots) if scale else None


def _qr_matrix(code: QrCode) -> Sequence[Sequence[bool]]:
    import qrcode

    maker = qrcode.QRCode(border=0, error_correction=qrcode.constants.ERROR_CORRECT_L)
    maker.add_data(qr_bytes(code), optimize=0)
    maker.make(fit=True)
    return [[bool(module) for module in row] for row in maker.get_matrix()]


def _scaled(rows: Iterable[Sequence[bool]], *, across: int, down: int) -> Logo:
    packed, width_dots = bytearray(), 0
    for row in rows:
        dots = "".join(("1" if module else "0") * across for module in row)
        width_dots = len(dots)
        filled = dots + "0" * (-width_dots % 8)
        packed += int(filled, 2).to_bytes(len(filled) // 8, "big") * down
    return Logo(width_dots=width_dots, rows=bytes(packed))
