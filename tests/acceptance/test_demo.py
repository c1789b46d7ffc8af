"""What `make demo` promises, run as a newcomer runs it: real processes, a serial line, sockets, SIGKILL."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from terminal_agent.demo import oracle
from terminal_agent.demo.day import BASKETS_MIN
from tests.support.postgresql import Server

AGENT = str(Path(sys.executable).with_name("loyalty-agent"))
# A limit against hanging, far from what the demo takes.
LIMIT_S = 280
FIXED = {
    "sales": BASKETS_MIN,
    "returns": 3,
    "voids": 1,
    "members": 30,
    "entries_held": 0,
    "entries_rejected": 0,
    "entries_lost": 0,
    "entries_duplicated": 0,
    "balances_equal": True,
    "receipts_printed": BASKETS_MIN + 4,
    "faults": [],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def done(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [AGENT, "demo", "--json", "--directory", str(folder), "--baskets", str(BASKETS_MIN), "--seed", "1"]
    environment = os.environ | {"CI": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=LIMIT_S)


@pytest.fixture(scope="module")
def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_nothing_is_lost_doubled_or_different(result: dict[str, Any]) -> None:
    assert {name: result[name] for name in FIXED} == FIXED
    assert result["entries_applied"] == result["entries_recorded"] > BASKETS_MIN + 4
    assert result["anonymous_sales"] >= 1
    assert result["points_issued"] > result["points_redeemed"] > 0
    assert result["outage_seconds"] > 0


def test_the_same_on_postgresql(tmp_path: Path, postgresql: Server) -> None:
    with postgresql.database() as url:
        options = ["--directory", str(tmp_path / "demo"), "--baskets", str(BASKETS_MIN), "--seed", "1"]
        command = [AGENT, "demo", "--json", "--central-database", url.render_as_string(hide_password=False), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: found[name] for name in FIXED} == FIXED
    assert found["outage_seconds"] > 0


def test_it_redeems_with_and_without_central(result: dict[str, Any]) -> None:
    assert result["redemptions"] >= 10
    assert 3 <= result["redemptions_offline"] < result["redemptions"]


def test_the_agent_is_killed_where_it_hurts(result: dict[str, Any]) -> None:
    by_fault = result["agent_kills_by_fault"]
    assert (by_fault["before_commit"], by_fault["after_commit"]) == (2, 2)
    assert by_fault["any_moment"] >= 1
    assert by_fault["hold_open"] == 1
    assert result["agent_kills"] >= 6


def test_the_receipts_are_kept_as_text_and_as_pictures(result: dict[str, Any], folder: Path) -> None:
    receipts = sorted((folder / "receipts").glob("*.txt"))
    pictures = sorted((folder / "receipts").glob("*.png"))
    assert [picture.stem for picture in pictures] == [receipt.stem for receipt in receipts]
    assert all(picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for picture in pictures)
    texts = [receipt.read_text(encoding="utf-8") for receipt in receipts]
    assert receipts[0].name == "001.txt"
    assert len(texts) == result["receipts_printed"]
    assert all("Padaria e Mercearia" in text for text in texts)
    assert sum("Saldo" in text for text in texts) > BASKETS_MIN // 2


def test_the_oracle_says_the_same_by_itself(result: dict[str, Any], folder: Path) -> None:
    files = [str(folder / "acknowledged.jsonl"), str(folder / "programme.json")]
    command = [sys.executable, "-I", "-S", oracle.__file__, *files]
    reckoning = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert reckoning["points_issued"] == result["points_issued"]
    assert sum(reckoning["balances"].values()) == result["points_issued"] - result["points_redeemed"]


def test_standard_output_is_the_json_alone(done: subprocess.CompletedProcess[str], result: dict[str, Any]) -> None:
    assert len(done.stdout.splitlines()) == 1
    assert "Nothing lost, nothing doubled" in done.stderr
    assert "\x1b" not in done.stderr


def test_nothing_runs_on_afterwards(result: dict[str, Any], folder: Path) -> None:
    assert running_in(folder) == []


def test_interrupted_it_leaves_nothing_running(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    command = [AGENT, "demo", "--directory", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as demo:
        wait_for_text(directory / "central.log", "loyalty-central listens on")
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=LIMIT_S)
    assert demo.returncode == 130
    assert "Traceback" not in said
    assert running_in(directory) == []


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--baskets", "3"], f"--baskets {BASKETS_MIN}"),
        (["--directory", "."], "choose another --directory"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(tmp_path: Path, options: list[str], remedy: str) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    failed = subprocess.run(
        [AGENT, "demo", *options], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert failed.returncode == 2
    assert remedy in failed.stderr
    assert "Traceback" not in failed.stderr
    assert (tmp_path / "precious.txt").read_text() == "mine"


def wait_for_text(file: Path, text: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < deadline, f"{file} never said {text!r}"
        time.sleep(0.02)


def running_in(directory: Path) -> list[str]:
    """The command lines of every process that works in a directory."""
    return [line for line in command_lines() if str(directory) in line]


def command_lines() -> list[str]:
    # A small Linux image has /proc and no `ps`; macOS has it the other way round.
    if not Path("/proc/self/cmdline").exists():
        listed = subprocess.run(["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True)
        return listed.stdout.splitlines()
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
