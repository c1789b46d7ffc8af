"""docs/printers.md says what the code does: its table of models, its limits, and its snippet runs."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from drivers.printer.models import printer_models
from drivers.printer.settings import PrinterSettings

PAGE = (Path(__file__).parents[4] / "docs" / "printers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", printer_models())
def test_the_table_has_every_model_as_it_is(key: str) -> None:
    model = printer_models()[key]
    row = next(line for line in PAGE.splitlines() if f"`{key}`" in line)
    assert [cell.strip() for cell in row.split("|")[3:5]] == [model.confirm, model.status]
    assert ("| read |" in row) == model.verified


def test_the_times_on_the_page_are_the_settings() -> None:
    settings = PrinterSettings(name="p", transport="tcp", address="h")
    assert f"asked every {settings.status_interval_s} s" in PAGE
    assert f"after {settings.status_timeout_s} s of silence" in PAGE


def test_the_snippets_run() -> None:
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert snippets
    for snippet in snippets:
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            exec(snippet, {})
        assert "127.0.0.1" in shown.getvalue()
