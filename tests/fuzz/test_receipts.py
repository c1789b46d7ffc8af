"""The fuzz of receipts, small; `make fuzz-receipts` runs it with a million texts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.grammar import foreign_bytes
from tests.fuzz.receipts import control, run

ROOT = Path(__file__).parents[2]


def test_escpos_04_control_bytes_never_reach_paper() -> None:
    fuzz = run(8_000)
    assert fuzz.faults == []
    assert fuzz.hostile.count >= 8_000


def test_the_grammar_finds_what_a_careless_renderer_sends() -> None:
    assert all(control())


@pytest.mark.parametrize(
    "data",
    [
        b"\x1bp\x00\x32\x64", b"\x00", b"a\x07\n", b"\x7f\n", b"\x1bt\x63", b"\x1d(k\x05\x001P0a\x1bp\x00",
        b"\x1dV\x42\x00", b"\x1c.", b"\x10\x14\x01\x00\x01",
    ],
)  # fmt: skip
def test_the_grammar_knows_no_other_command(data: bytes) -> None:
    assert foreign_bytes(b"ok\n" + data, "escpos")
    assert foreign_bytes(b"ok\n" + data, "text")


def test_the_command_says_what_it_did() -> None:
    command = [sys.executable, "-m", "tests.fuzz.receipts", "--inputs", "50", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["inputs"] >= 50
    assert result["faults"] == 0
