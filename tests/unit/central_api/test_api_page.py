"""docs/api.md tells the truth: its table is that of the OpenAPI document, its exchanges go as they stand there.

After a meant change of the calls write the table again with the command that the failing test prints.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from central_api.api.application import create_app
from loyalty_sdk.codec import loads
from tests.unit.central_api.office_support import Desk

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
UPDATE = "PYTHONPATH=. .venv/bin/python -m tests.unit.central_api.test_api_page"
HEADING = "| call | what it does | key | question | answer |\n| --- | --- | --- | --- | --- |\n"
ANYTHING = "…"


def table() -> str:
    """A row for each call of the back office, in the order of the OpenAPI document's paths."""
    app = create_app(database=None, capabilities=None, version="test")  # type: ignore[arg-type]  # only described
    rows = [
        row(method.upper(), path, call)
        for path, calls in sorted(app.openapi()["paths"].items())
        for method, call in calls.items()
        if "x-scope" in call
    ]
    return HEADING + "".join(rows)


def row(method: str, path: str, call: dict[str, Any]) -> str:
    query = "&".join(one["name"] for one in call.get("parameters", []) if one["in"] == "query")
    question = name_of(call["requestBody"]) if "requestBody" in call else ""
    shown = f"`{method} {path}{'?' if query else ''}{query}`"
    return f"| {shown} | {call['summary']} | {call['x-scope']} | {question} | {name_of(call['responses']['200'])} |\n"


def name_of(described: dict[str, Any]) -> str:
    reference: str = described["content"]["application/json"]["schema"]["$ref"]
    return f"`{reference.rpartition('/')[2]}`"


def test_the_table_is_that_of_the_description() -> None:
    assert PAGE.read_text(encoding="utf-8").endswith(table()), f"the calls changed; if that is meant: {UPDATE}"


async def test_the_exchanges_go_as_they_stand_there(desk: Desk) -> None:
    blocks = re.findall(r"^```http\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 10
    known: dict[str, str] = {}
    for question, answer in list(pairwise(blocks))[::2]:
        for name, value in known.items():
            question = question.replace(f"{{{name}}}", value)
        start, headers, body = parts(question.replace("lk_…", desk.secrets["administrator"]))
        method, _, path = start.partition(" ")
        got = await desk.premises.client.request(method, path, headers=headers, content=body)
        status, wanted_headers, wanted = parts(answer)
        content = loads(got.content)
        assert got.status_code == int(status), got.text
        assert {name: ANYTHING if value == '"…"' else got.headers[name] for name, value in wanted_headers.items()} == {
            name: value.strip('"') for name, value in wanted_headers.items()
        }
        assert fits(loads(wanted), content), content
        known |= {name: value for name, value in content.items() if isinstance(value, str)}


def parts(text: str) -> tuple[str, dict[str, str], str]:
    """First line, headers and body of a message."""
    head, _, body = text.partition("\n\n")
    start, *lines = head.splitlines()
    return start, dict(line.split(": ", 1) for line in lines), body


def fits(wanted: Any, found: Any) -> bool:
    """Whether what was found is what is shown, where `…` stands for anything and fields may be left out."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(name in found and fits(wanted[name], found[name]) for name in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(fits, wanted, found))
    return wanted in (ANYTHING, found)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.partition(HEADING)[0] + table(), encoding="utf-8")
