"""Every command that the documentation names exists: make targets, subcommands, options.

Only code counts (fenced blocks and code spans), so that prose may say "make sure". That a command does
what its text says is the matter of the tests in `tests/acceptance/`.
"""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = {"loyalty-agent": "terminal_agent.cli", "loyalty-central": "central_api.cli"}
CODE = re.compile(r"^```.*?\n(?P<block>.*?)^```|`(?P<span>[^`\n]+)`", re.DOTALL | re.MULTILINE)
WORD = re.compile(r"[a-z][a-z0-9-]*\Z")


def code_in(text: str) -> list[str]:
    """The lines of code of one page: of its fenced blocks, continued lines joined, and its code spans."""
    found = (match["block"] or match["span"] for match in CODE.finditer(text))
    return [line.strip() for code in found for line in re.sub(r"\\\n\s*", " ", code).splitlines()]


def commands_in(text: str, program: str) -> list[tuple[str, ...]]:
    """The arguments of each call of the program in one page, up to a comment, a pipe or a semicolon."""
    calls = re.compile(rf"(?:^|[\s/(=])(?<![\w-]){re.escape(program)}(?![\w.-])(?P<arguments>(?:\s[^#|;&>`)]*)?)")
    return [tuple(match["arguments"].split()) for line in code_in(text) for match in calls.finditer(line)]


def targets_in(text: str) -> set[str]:
    """The targets of `make` that one page names."""
    calls = (words for words in commands_in(text, "make"))
    return {word for words in calls for word in words if WORD.match(word)}


def subcommand_of(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The leading plain words of a call: subcommands, perhaps followed by a positional argument."""
    count = next((at for at, word in enumerate(arguments) if not WORD.match(word)), len(arguments))
    return arguments[:count]


def options_of(arguments: tuple[str, ...]) -> set[str]:
    return {match.group() for word in arguments if (match := re.match(r"--[a-z][a-z0-9-]*", word))}


@cache
def help_of(program: str, *subcommand: str) -> str:
    """What the program prints for `--help`, under its documented name."""
    run = f"import sys; sys.argv[0] = {program!r}; from {PROGRAMS[program]} import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", run, *subcommand, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{program} {' '.join(subcommand)} --help failed:\n{done.stderr}"
    return done.stdout


def choices_in(help_text: str) -> set[str]:
    """The subcommands that a help text offers, as argparse writes them: `{init,run}`, first in its usage."""
    match = re.search(r"^\s*\{([a-z0-9,\s-]+)\}\s*(?:\.\.\.)?", help_text, re.MULTILINE) or re.search(
        r"\{([a-z0-9,\s-]+)\}\s+\.\.\.", help_text
    )
    return {name.strip() for name in match[1].split(",")} if match else set()


def complaints(program: str, arguments: tuple[str, ...]) -> list[str]:
    """What one documented call names and the program does not know."""
    if not arguments:
        return []
    known: tuple[str, ...] = ()
    for word in subcommand_of(arguments):
        choices = choices_in(help_of(program, *known))
        if not choices:
            break
        if word not in choices:
            return [f"{' '.join((program, *known))} has no subcommand {word!r}, only {sorted(choices)}"]
        known = (*known, word)
    offered = set(re.findall(r"--[a-z][a-z0-9-]*", help_of(program, *known)))
    return [
        f"{' '.join((program, *known))} has no option {option}" for option in sorted(options_of(arguments) - offered)
    ]


def pages(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


EACH_PAGE = pytest.mark.parametrize("page", pages("README.md", "CONTRIBUTING.md", "docs/**/*.md"), ids=name_of)


@EACH_PAGE
def test_every_documented_target_of_make_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert targets_in(page.read_text(encoding="utf-8")) - targets == set()


@EACH_PAGE
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_documented_command_exists(page: Path, program: str) -> None:
    calls = commands_in(page.read_text(encoding="utf-8"), program)
    assert [complaint for call in dict.fromkeys(calls) for complaint in complaints(program, call)] == []


def test_the_list_of_make_names_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert re.findall(r"^make (\S+) ", listed, re.MULTILINE) == phony.split()


PAGE = """
Make sure to read on; `make demo ARGS=--json` and `PYTHON=python3.13 make test` run, `remake all` does not.
```sh
make          # lists the tasks
$ .venv/bin/loyalty-agent replay FILE.csv --kills 3 \\
    --balances=out.csv | tail -1
loyalty-central member add --alias 4711 >out.txt
```
The unit `loyalty-agent.service` is no call; `loyalty-agent` alone is one. loyalty-agent prose is none.
"""


def test_commands_are_found_in_code_alone() -> None:
    assert targets_in(PAGE) == {"demo", "test"}
    assert commands_in(PAGE, "loyalty-agent") == [
        ("replay", "FILE.csv", "--kills", "3", "--balances=out.csv"),
        (),
    ]
    assert commands_in(PAGE, "loyalty-central") == [("member", "add", "--alias", "4711")]


def test_subcommands_and_options_are_told_apart() -> None:
    call = ("member", "add", "4711", "--alias=x", "--name", "y")
    assert subcommand_of(call) == ("member", "add")
    assert options_of(call) == {"--alias", "--name"}


def test_choices_are_read_as_argparse_writes_them() -> None:
    assert choices_in("usage: loyalty-agent [-h] {init,run,demo} ...\n") == {"init", "run", "demo"}
    assert choices_in("usage: x [-h] --mode {a,b} FILE\n") == set()


def test_what_does_not_exist_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {(): "usage: x [-h] {init,run} ...\n", ("run",): "usage: x run [-h] [--config FILE]\n"}
    monkeypatch.setattr(sys.modules[__name__], "help_of", lambda _, *subcommand: texts[subcommand])
    assert complaints("x", ()) == []
    assert complaints("x", ("run", "--config", "a.toml")) == []
    assert "no subcommand 'stop'" in complaints("x", ("stop",))[0]
    assert "no option --port" in complaints("x", ("run", "--port", "1"))[0]
