"""Plain lines for printers that take nothing else."""

from drivers.drawer import DrawerPulse
from drivers.printer.document import Align, Columns, Cut, Document, Feed, QrCode, Rule, TextLine
from drivers.printer.layout import plain_lines

RECEIPT = Document(
    elements=(
        TextLine(text="Padaria João", align=Align.CENTER, bold=True),
        TextLine(text="Olá", align=Align.RIGHT),
        Columns(left="Points", right="+12"),
        Rule(),
        QrCode(data="HTTP://M/1"),
        Feed(lines=2),
        DrawerPulse(),
        Cut(),
    )
)


def test_lines_fit_and_keep_their_place() -> None:
    assert plain_lines(RECEIPT, 16) == (
        "  Padaria João",
        "             Olá",
        "Points       +12",
        "-" * 16,
        "   HTTP://M/1",
        "",
        "",
    )


def test_double_width_wraps_at_half_of_the_paper() -> None:
    wide = Document(elements=(TextLine(text="twelve chars", double_width=True),))
    assert plain_lines(wide, 16) == ("twelve", "chars")


def test_a_rule_that_the_page_lacks_is_drawn_with_what_it_has() -> None:
    assert plain_lines(Document(elements=(Rule(character="\u200b"),)), 16) == ("-" * 16,)
