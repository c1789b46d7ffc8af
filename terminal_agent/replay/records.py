"""From a CSV file, plain or gzipped, to its records with their line numbers. Knows no meaning of any column.

The file is read once, as a stream. Bytes that are not of the encoding come through as lone surrogates, so that the
field they stand in decides what they cost: a description loses a character, an invoice number is refused.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

__all__ = ["FileUnreadable", "Record", "read_records"]

GZIP_MAGIC = b"\x1f\x8b"


class FileUnreadable(ValueError):
    """The file cannot be read at all; the text names the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record: the line it starts in (the header is line 1) and its cells; `problem` where it is no CSV."""

    line: int
    cells: list[str]
    problem: str = ""


def read_records(path: Path, *, encoding: str, delimiter: str) -> Iterator[Record]:
    """Yield every record of the file, the header first; empty lines are left out. Raises FileUnreadable."""
    try:
        with closing(_open(path)) as data:
            text = io.TextIOWrapper(data, encoding=encoding, errors="surrogateescape", newline="")
            yield from _records(text, delimiter)
    except (OSError, EOFError) as error:
        # gzip reports a damaged or cut file as one of these two.
        raise FileUnreadable(f"{path} cannot be read: {error}; check the path and that the file is whole") from None
    except UnicodeError as error:
        raise FileUnreadable(f"{path} is not {encoding}: {error}; name its encoding with --encoding") from None
    except LookupError:
        raise FileUnreadable(f"there is no encoding {encoding!r}; --encoding takes names as utf-8 or cp1252") from None


def _open(path: Path) -> IO[bytes]:
    data = path.open("rb")
    if data.peek(2)[:2] != GZIP_MAGIC:
        return data
    data.close()
    return cast(IO[bytes], gzip.open(path, "rb"))


def _records(text: io.TextIOWrapper, delimiter: str) -> Iterator[Record]:
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Record(line=line, cells=[], problem=f"not CSV: {error}")
            continue
        if cells is None:
            return
        if cells:
            yield Record(line=line, cells=_without_mark(cells) if line == 1 else cells)


def _without_mark(cells: list[str]) -> list[str]:
    """Drop the byte order mark that spreadsheets write before the first header."""
    return [cells[0].removeprefix("\ufeff"), *cells[1:]]
