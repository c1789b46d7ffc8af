"""The data directory and the lock on it."""

import os
import stat
from pathlib import Path

import pytest

from terminal_agent.data_directory import DataDirectory, DirectoryTaken


def test_a_second_agent_is_refused_while_the_first_holds_the_lock(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    with first.lock(), pytest.raises(DirectoryTaken, match="stop it first"), second.lock():
        pass
    with second.lock():
        pass


def test_what_fails_inside_of_the_lock_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError, match="another"), DataDirectory(tmp_path).lock():
        raise BlockingIOError("another")


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "a" / "b")
    with directory.lock():
        assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory.path / "lock").stat().st_mode) == 0o600


def test_the_default_is_where_the_sdk_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from loyalty_sdk._endpoint import resolve_endpoint

    for environment in ({"XDG_STATE_HOME": str(tmp_path)}, {}):
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        endpoint = resolve_endpoint(None, None, dict(os.environ))
        assert endpoint.socket_path == str(DataDirectory.at(None).path / "agent.sock")
        assert endpoint.token_path == str(DataDirectory.at(None).token)


def test_a_relative_path_becomes_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataDirectory.at("here").path == tmp_path / "here"
