"""A document refuses what cannot be printed, and says what to do."""

from collections.abc import Callable

import pytest

from drivers.errors import DocumentInvalid
from drivers.printer.document import Document, Feed, QrCode, Rule, TextLine


@pytest.mark.parametrize(
    "build",
    [
        lambda: Document(elements=(Feed(),) * 2001),
        lambda: TextLine(text="x" * 5000),
        lambda: Rule(character="--"),
        lambda: Feed(lines=0),
        lambda: QrCode(data=""),
        lambda: QrCode(data="x" * 2000),
        lambda: QrCode(data="x", module_dots=17),
    ],
)
def test_what_is_beyond_a_limit_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(DocumentInvalid):
        build()
