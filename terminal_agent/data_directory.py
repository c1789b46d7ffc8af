"""The agent's data directory: where each of its files is, and the lock that keeps a second agent out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DataDirectory", "DirectoryTaken"]


class DirectoryTaken(Exception):
    """Another agent runs on this data directory."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The files of one agent."""

    path: Path

    @classmethod
    def at(cls, path: str | None) -> DataDirectory:
        """Return the directory of that path, or the default one, where the SDK looks for the agent too."""
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return cls((Path(path) if path else Path(state) / "loyalty-agent").absolute())

    @property
    def settings(self) -> Path:
        """The configuration."""
        return self.path / "agent.toml"

    @property
    def identity(self) -> Path:
        """Keys and token for central; private."""
        return self.path / "identity.json"

    @property
    def enrolment_key(self) -> Path:
        """The key of an enrolment whose answer was lost; private."""
        return self.path / "enrolment.key"

    @property
    def token(self) -> Path:
        """The bearer token of the local API; private."""
        return self.path / "token"

    @property
    def journal(self) -> Path:
        """The journal, replica and grants."""
        return self.path / "journal.db"

    def spool(self, printer: str) -> Path:
        """The print jobs of one printer."""
        return self.path / f"spool-{printer}.db"

    @property
    def reports(self) -> Path:
        """The Z reports."""
        return self.path / "reports.db"

    def create(self) -> None:
        """Make the directory, closed to other users."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other agents out; the lock ends with the process, however it ends. Raises DirectoryTaken."""
        self.create()
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryTaken(
                f"another agent runs on {self.path}: stop it first, or use another --directory"
            ) from None
