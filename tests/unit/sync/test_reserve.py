"""The reserve: made, given up, made again, and never at the cost of the shop's own room."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sync.reserve import Reserve

SIZE_BYTES = 1_000_000


def test_a_part_of_it_is_made_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.reserve"
    path.write_bytes(b"x" * 100)
    assert Reserve(path, SIZE_BYTES).fill()
    assert path.stat().st_blocks * 512 >= SIZE_BYTES, "blocks, not a hole"


def test_it_takes_no_more_than_half_of_what_is_free(tmp_path: Path) -> None:
    path = tmp_path / "journal.reserve"
    assert not Reserve(path, shutil.disk_usage(tmp_path).free).fill()
    assert not path.exists()


def test_what_cannot_be_allocated_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    path = tmp_path / "journal.reserve"
    assert not Reserve(path, SIZE_BYTES).fill()
    assert not path.exists()


def test_a_directory_that_is_gone_is_no_error(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "gone" / "journal.reserve", SIZE_BYTES)
    assert not reserve.fill()
    assert not reserve.give_up()
