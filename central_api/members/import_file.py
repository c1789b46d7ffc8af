"""Reads a CSV file of members and checks each row by itself. Knows no database: who is there already shows later.

The first line names the columns: `alias` and `name`, and where there are any `tier` and `balance`. Between them stands
`,`, or `;` as spreadsheets write it where the comma is the decimal sign. UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from central_api.members.members import ALIAS_LENGTH_MAX, NAME_LENGTH_MAX, TIER_LENGTH_MAX

__all__ = ["BALANCE_MAX", "ImportFile", "ImportInvalid", "ImportRow", "RowRefused", "read_import_file"]

COLUMNS = ("alias", "name", "tier", "balance")
REQUIRED = {"alias", "name"}
ROWS_MAX = 5_000_000
LINE_BYTES_MAX = 100_000
BALANCE_MAX = 1_000_000_000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What a spreadsheet makes of a long number in a column that is not text: `2E+12`, `2,00E+12`.
SHORTENED = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
WHOLE = re.compile(r"[0-9]{1,10}")
SAVE_AS = "save it as 'CSV UTF-8'"


class ImportInvalid(Exception):
    """The file cannot be imported; the text names the line and the remedy, and how much was imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One member to be; `balance` is what the member begins with, in points."""

    line: int
    alias: str
    name: str
    tier: str = ""
    balance: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRefused:
    """A row that is not imported, the line that it begins on, and why."""

    line: int
    alias: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFile:
    """What a file holds: rows that may be imported, and those that may not."""

    rows: Sequence[ImportRow]
    refused: Sequence[RowRefused]


def read_import_file(path: Path) -> ImportFile:
    """Read and check a file. Raises ImportInvalid for one that cannot be read to its end: nothing of it is used."""
    try:
        with path.open("rb") as file:
            return _checked(path, file)
    except OSError as error:
        raise ImportInvalid(f"{path} cannot be read: {error.strerror}; nothing was imported") from None


def _checked(path: Path, file: BinaryIO) -> ImportFile:
    lines = _lines(path, file)
    header = next(lines, "")
    delimiter = ";" if ";" in header else ","
    columns = _columns(path, next(csv.reader([header], delimiter=delimiter), []))
    rows: list[ImportRow] = []
    refused: list[RowRefused] = []
    line_of: dict[str, int] = {}
    for line, cells in _records(path, lines, delimiter):
        if len(rows) + len(refused) >= ROWS_MAX:
            raise ImportInvalid(f"{path} has more than {ROWS_MAX} rows; split it; nothing was imported")
        values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
        reason = _wrong(columns, cells, values, delimiter) or _repeated(line_of, values["alias"], line)
        if reason:
            refused.append(RowRefused(line=line, alias=values.get("alias", ""), reason=reason))
        else:
            rows.append(_row(line, values))
    return ImportFile(rows=rows, refused=refused)


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    """The file's lines as text; decoded one by one, so that what is wrong has a line."""
    for number, data in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), start=1):
        if len(data) > LINE_BYTES_MAX:
            raise ImportInvalid(f"{path}, line {number}: longer than {LINE_BYTES_MAX} bytes; nothing was imported")
        if number == 1 and data.startswith(UTF_16):
            raise ImportInvalid(f"{path} is UTF-16, not UTF-8; {SAVE_AS}; nothing was imported")
        try:
            yield data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            shown = data[max(0, error.start - 10) : error.start + 10].decode("cp1252", "replace").strip()
            text = f"{path}, line {number} is not UTF-8 (perhaps Windows-1252: {shown!r}); {SAVE_AS}"
            raise ImportInvalid(f"{text}; nothing was imported") from None


def _records(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line that it begins on. Lines without anything in them are left out."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 2
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 2
    except csv.Error as error:
        text = f"{path}, the record that begins in line {line} is no CSV: {error}"
        raise ImportInvalid(f"{text}; look for a quotation mark that is not closed; nothing was imported") from None


def _columns(path: Path, found: Sequence[str]) -> list[str]:
    columns = [name.strip().casefold() for name in found]
    # A spreadsheet leaves columns without a name behind the last one.
    while columns and not columns[-1]:
        columns.pop()
    named = f"the first line must name the columns {','.join(COLUMNS)}, of which the last two may be missing"
    if not set(columns) >= REQUIRED or len(set(columns)) < len(columns):
        raise ImportInvalid(f"{path}: {named}, not {','.join(columns)!r}; nothing was imported")
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise ImportInvalid(f"{path}: {named}; remove {', '.join(map(repr, unknown))}; nothing was imported")
    return columns


def _wrong(columns: Sequence[str], cells: Sequence[str], values: Mapping[str, str], delimiter: str) -> str:
    """What is wrong with a row, "" where nothing is."""
    if len(cells) < len(columns) or any(cell.strip() for cell in cells[len(columns) :]):
        return f"has {len(cells)} fields, not {len(columns)}; put a field with {delimiter} into quotation marks"
    alias, balance = values["alias"], values.get("balance", "")
    if not alias:
        return "the alias is empty"
    if len(alias) > ALIAS_LENGTH_MAX or not alias.isprintable():
        return f"an alias has at most {ALIAS_LENGTH_MAX} printable characters"
    if SHORTENED.fullmatch(alias):
        return "a spreadsheet has shortened this number; make its column text and write it again"
    if len(values["name"]) > NAME_LENGTH_MAX or not values["name"].isprintable():
        return f"a name has at most {NAME_LENGTH_MAX} printable characters"
    if len(values.get("tier", "")) > TIER_LENGTH_MAX or not values.get("tier", "").isprintable():
        return f"a tier has at most {TIER_LENGTH_MAX} printable characters"
    if balance and not (WHOLE.fullmatch(balance) and int(balance) <= BALANCE_MAX):
        return f"a balance is a whole number from 0 to {BALANCE_MAX}, written without separators"
    return ""


def _repeated(line_of: dict[str, int], alias: str, line: int) -> str:
    first = line_of.setdefault(alias, line)
    return "" if first == line else f"the alias stands in line {first} already; every alias belongs to one member"


def _row(line: int, values: Mapping[str, str]) -> ImportRow:
    return ImportRow(
        line=line,
        alias=values["alias"],
        name=values["name"],
        tier=values.get("tier", ""),
        balance=int(values.get("balance") or 0),
    )
