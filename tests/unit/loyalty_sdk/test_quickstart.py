"""Every Python snippet of the SDK's pages runs, in the order of its page, and prints what the page says."""

import contextlib
import io
import re
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "docs" / "quickstart.md", ROOT / "loyalty_sdk" / "README.md"]
SNIPPET = re.compile(r"^```python(?P<mark>[^\n]*)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)
PROMISE = "# → "


def snippets(page: Path, mark: str = "") -> list[str]:
    found = SNIPPET.finditer(page.read_text(encoding="utf-8"))
    return [match["code"] for match in found if match["mark"].strip() == mark]


def promised(code: str) -> list[str]:
    return [line.removeprefix(PROMISE) for line in code.splitlines() if line.startswith(PROMISE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_snippet_runs_and_prints_what_the_page_says(page: Path) -> None:
    names: dict[str, object] = {}
    for code in snippets(page):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, page.name, "exec"), names)
        if promised(code):
            assert output.getvalue().splitlines() == promised(code)


def test_the_line_for_the_real_agent_makes_a_till() -> None:
    (code,) = snippets(PAGES[0], "no-run")
    names: dict[str, object] = {"date": date}
    exec("from loyalty_sdk import Till", names)
    exec(code, names)
    exec("till.close()", names)


def test_the_first_call_takes_three_lines() -> None:
    first, call = snippets(PAGES[0])[:2]
    until_the_call = f"{first}{call}".partition("member = ")[0]
    steps = [line for line in until_the_call.splitlines() if line and not line.startswith(("from ", "fake.add_member"))]
    assert len(steps) + 1 == 3
