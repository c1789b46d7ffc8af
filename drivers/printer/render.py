"""A document into the bytes of one printer. The whole receipt is rendered before a byte is sent; does no I/O.

Which commands there are is known to `_commands` and `_star`; what a printer lacks is made up for by `fitting`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.printer._commands import Commands, EscPosCommands, TextCommands
from drivers.printer._star import StarLineCommands, raster_job
from drivers.printer.document import Barcode, Cut, Document, DrawerPulse, Element, Feed, Logo, QrCode
from drivers.printer.fitting import fitted
from drivers.printer.layout import LaidLine, lay_out, plain_lines
from drivers.printer.profile import PrinterProfile

__all__ = ["plain_lines", "render_block", "render_document", "warm_up"]

_PICKLE_DIR = "ESCPOS_CAPABILITIES_PICKLE_DIR"
_CAPABILITIES = "ESCPOS_CAPABILITIES_FILE"
_ESCPOS = "escpos.printer"
_FONTS = "PIL.ImageFont"
_import_lock = threading.Lock()


def render_document(document: Document, profile: PrinterProfile) -> bytes:
    """Return the whole job: reset, code page, content. Cuts and pulses stand where the document has them."""
    if profile.dialect == "star_raster":
        return _raster_job(document, profile)
    commands = _commands(profile)
    commands.reset()
    _print(commands, document, profile)
    return commands.output


def render_block(document: Document, profile: PrinterProfile) -> bytes:
    """Return the content for a receipt that another program prints: no reset, no cut, no drawer.

    It selects the code page, and leaves left alignment and normal weight and size behind. The owner of the printer
    selects its own code page again where that is another one.
    """
    own = tuple(element for element in document.elements if not isinstance(element, Cut | DrawerPulse))
    commands = _commands(profile)
    _print(commands, Document(elements=own), profile)
    return commands.output


def warm_up() -> None:
    """Load python-escpos now, which takes an eighth of a second, and not with the first receipt."""
    with _import_lock:
        if _ESCPOS in sys.modules:
            return
        with tempfile.TemporaryDirectory(prefix="escpos-") as folder, _contained_import(Path(folder)):
            importlib.import_module(_ESCPOS)


def _print(commands: Commands, document: Document, profile: PrinterProfile) -> None:
    commands.begin()
    for part in lay_out(fitted(document, profile), profile.columns, profile.code_page):
        if isinstance(part, LaidLine):
            commands.line(part)
        else:
            _print_element(commands, part)
    commands.end()


def _print_element(commands: Commands, element: Element) -> None:
    if isinstance(element, QrCode):
        commands.qr(element)
    elif isinstance(element, Barcode):
        commands.barcode(element)
    elif isinstance(element, Logo):
        commands.picture(element)
    elif isinstance(element, Feed):
        commands.feed(element.lines)
    elif isinstance(element, Cut):
        commands.cut(partial=element.partial)
    elif isinstance(element, DrawerPulse):
        commands.pulse(element)


def _commands(profile: PrinterProfile) -> Commands:
    """Return the language of the printer; a block for one that takes dots alone is for another printer anyway."""
    if profile.dialect == "text":
        return TextCommands(profile)
    if profile.dialect == "star_line":
        return StarLineCommands(profile)
    warm_up()
    return EscPosCommands(profile, sys.modules[_ESCPOS].Dummy())


def _raster_job(document: Document, profile: PrinterProfile) -> bytes:
    """A printer that takes dots alone gets a picture of every receipt, up to each cut."""
    job, receipt = bytearray(b"\x1b@"), list[Element]()
    for element in fitted(document, profile).elements:
        receipt.append(element)
        if isinstance(element, Cut):
            job += _raster_receipt(receipt, profile)
            receipt = []
    return bytes(job + _raster_receipt(receipt, profile))


def _raster_receipt(elements: list[Element], profile: PrinterProfile) -> bytes:
    # Pillow is not for everybody: it loads where a printer needs it.
    from drivers.printer.picture import document_dots

    pulses = [element for element in elements if isinstance(element, DrawerPulse)]
    cut = any(isinstance(element, Cut) for element in elements)
    rows = document_dots(Document(elements=tuple(elements)), profile)
    return raster_job(rows, profile.dots, pulses, cut=cut)


@contextmanager
def _contained_import(folder: Path) -> Iterator[None]:
    """Undo what importing python-escpos does to a process: a log handler at the root and a folder left behind.

    It also unpickles its capabilities from a folder that the environment names: `folder` takes the place of
    whatever that is, and of the temporary one that it makes in any case. The fonts that pyBarcode would load to paint
    bar codes, and then does without, are 2 MB.
    """
    root, thread = logging.getLogger(), threading.get_ident()
    handlers, mkdtemp = root.handlers[:], tempfile.mkdtemp
    named = {name: os.environ.get(name) for name in (_PICKLE_DIR, _CAPABILITIES)}

    def mkdtemp_here(*args: Any, **kwargs: Any) -> str:
        return str(folder) if threading.get_ident() == thread else mkdtemp(*args, **kwargs)

    os.environ |= {_PICKLE_DIR: str(folder), _CAPABILITIES: str(_write_capabilities(folder))}
    fonts = sys.modules.get(_FONTS)
    sys.modules.setdefault(_FONTS, None)  # type: ignore[arg-type]  # None makes the import fail, as meant.
    tempfile.mkdtemp = mkdtemp_here  # type: ignore[assignment]  # For one import; the overloads do not matter.
    try:
        yield
    finally:
        tempfile.mkdtemp = mkdtemp
        root.handlers[:] = handlers
        if fonts is None:
            del sys.modules[_FONTS]
        for name, value in named.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _write_capabilities(folder: Path) -> Path:
    """Write the part of python-escpos' printer database that is used here, and return the file.

    The whole one is read as YAML: 0.2 seconds and 3 MB for printers that nobody asks it about.
    """
    package = importlib.util.find_spec("escpos")  # Without its import.
    assert package is not None
    assert package.origin is not None
    everything = json.loads(Path(package.origin).with_name("capabilities.json").read_text(encoding="utf-8"))
    used = {"profiles": {"default": everything["profiles"]["default"]}, "encodings": everything["encodings"]}
    path = folder / "capabilities.json"
    path.write_text(json.dumps(used), encoding="utf-8")
    return path
