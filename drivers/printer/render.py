"""A document into ESC/POS bytes: python-escpos writes the commands, we encode the text.

The whole receipt is rendered before a byte is sent. Does no I/O. python-escpos' own text and code page functions
are never used: they choose pages by themselves and let control bytes of the data through.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.printer.document import Align, Cut, Document, DrawerPulse, Element, Feed, QrCode
from drivers.printer.layout import LaidLine, lay_out, plain_lines
from drivers.printer.profile import PrinterProfile

__all__ = ["plain_lines", "render_block", "render_document", "warm_up"]

_PICKLE_DIR = "ESCPOS_CAPABILITIES_PICKLE_DIR"
_ESCPOS = "escpos.printer"
_import_lock = threading.Lock()

_LINE_END = b"\n"


def render_document(document: Document, profile: PrinterProfile) -> bytes:
    """Return the whole job: reset, code page, content. Cuts and pulses stand where the document has them."""
    paper = _new_paper()
    paper.hw("INIT")
    _print(paper, document, profile)
    return _bytes(paper)


def render_block(document: Document, profile: PrinterProfile) -> bytes:
    """Return the content for a receipt that another program prints: no reset, no cut, no drawer.

    It selects the code page, and leaves left alignment and normal weight and size behind. The owner of the printer
    selects its own code page again where that is another one.
    """
    own = tuple(element for element in document.elements if not isinstance(element, Cut | DrawerPulse))
    paper = _new_paper()
    _print(paper, Document(elements=own), profile)
    return _bytes(paper)


def warm_up(cache_folder: Path | None = None) -> None:
    """Load python-escpos now, which takes a quarter of a second, and not with the first receipt.

    `cache_folder` keeps a pickle that makes the next start faster; it is made if it is missing, and passed over
    unless it belongs to this user alone, because whoever writes to it runs code here.
    """
    with _import_lock:
        if _ESCPOS in sys.modules:
            return
        if cache_folder is not None and _is_private(cache_folder):
            with _contained_import(str(cache_folder)):
                importlib.import_module("escpos.printer")
        else:
            with tempfile.TemporaryDirectory(prefix="escpos-") as folder, _contained_import(folder):
                importlib.import_module("escpos.printer")


def _is_private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return False
    return os.name != "posix" or (found.st_uid == os.geteuid() and not found.st_mode & 0o022)


def _print(paper: Any, document: Document, profile: PrinterProfile) -> None:
    # After a reset, and on a connection that is new, a printer is back at its own page.
    paper._raw(b"\x1bt" + bytes([profile.page_number]))
    paper.set(align="left", bold=False, normal_textsize=True)
    style = LaidLine(text="")
    for part in lay_out(document, profile.columns, profile.code_page):
        if isinstance(part, LaidLine):
            _set_style(paper, style, part)
            style = part
            paper._raw(part.text.encode(profile.code_page) + _LINE_END)
        else:
            _print_element(paper, part, style)
    _set_style(paper, style, LaidLine(text=""))


def _set_style(paper: Any, before: LaidLine, wanted: LaidLine) -> None:
    sizes_differ = (before.double_height, before.double_width) != (wanted.double_height, wanted.double_width)
    if sizes_differ:
        normal = not (wanted.double_height or wanted.double_width)
        paper.set(normal_textsize=normal, double_height=wanted.double_height, double_width=wanted.double_width)
    # The command for the size takes the weight with it.
    if sizes_differ or before.bold != wanted.bold:
        paper.set(bold=wanted.bold)
    if before.align is not wanted.align:
        paper.set(align=wanted.align.value)


def _print_element(paper: Any, element: Element, style: LaidLine) -> None:
    if isinstance(element, QrCode):
        paper.set(align=Align.CENTER.value)
        paper.qr(element.data.encode(errors="replace").decode(), native=True, size=element.module_dots)
        paper.set(align=style.align.value)
    elif isinstance(element, Feed):
        paper.print_and_feed(element.lines)
    elif isinstance(element, Cut):
        paper.cut(mode="PART" if element.partial else "FULL")
    elif isinstance(element, DrawerPulse):
        paper.cashdraw(list(element.sequence))


def _bytes(paper: Any) -> bytes:
    output: bytes = paper.output
    return output


def _new_paper() -> Any:
    warm_up()
    return sys.modules[_ESCPOS].Dummy()


@contextmanager
def _contained_import(folder: str) -> Iterator[None]:
    """Undo what importing python-escpos does to a process: a log handler at the root and a folder left behind.

    It also unpickles its capabilities from a folder that the environment names: `folder` takes the place of
    whatever that is, and of the temporary one that it makes in any case.
    """
    root, thread = logging.getLogger(), threading.get_ident()
    handlers, named, mkdtemp = root.handlers[:], os.environ.get(_PICKLE_DIR), tempfile.mkdtemp

    def mkdtemp_here(*args: Any, **kwargs: Any) -> str:
        return folder if threading.get_ident() == thread else mkdtemp(*args, **kwargs)

    os.environ[_PICKLE_DIR] = folder
    tempfile.mkdtemp = mkdtemp_here  # type: ignore[assignment]  # For one import; the overloads do not matter.
    try:
        yield
    finally:
        tempfile.mkdtemp = mkdtemp
        root.handlers[:] = handlers
        if named is None:
            del os.environ[_PICKLE_DIR]
        else:
            os.environ[_PICKLE_DIR] = named
