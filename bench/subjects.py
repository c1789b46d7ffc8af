"""The registry: everything that is measured, in the order of the table. A subject is a module of this folder."""

from __future__ import annotations

from fnmatch import fnmatchcase

from bench.backlog import BACKLOG
from bench.devices import FIRST_BYTE, SCAN
from bench.drain import DRAIN
from bench.footprint import AGENT_MEMORY, DRAINING_MEMORY, IMPORT
from bench.ingest import CENTRAL_INGEST
from bench.local_api import LOCAL_API
from bench.receipts import RECEIPT
from bench.recording import GROUP_COMMIT, RECORD_SALE
from bench.workshop import Subject

__all__ = ["SUBJECTS", "matches", "selected"]

SUBJECTS: tuple[Subject, ...] = (
    RECORD_SALE,
    GROUP_COMMIT,
    LOCAL_API,
    SCAN,
    FIRST_BYTE,
    RECEIPT,
    IMPORT,
    AGENT_MEMORY,
    DRAIN,
    DRAINING_MEMORY,
    BACKLOG,
    *CENTRAL_INGEST,
)


def matches(name: str, pattern: str) -> bool:
    """Whether a row's name holds the pattern; `*` and `?` stand for any text and any character."""
    return fnmatchcase(name.lower(), f"*{pattern.lower()}*")


def selected(pattern: str) -> tuple[Subject, ...]:
    """Return the subjects that have a row which matches."""
    return tuple(subject for subject in SUBJECTS if any(matches(name, pattern) for name in subject.names))
