"""The options of `loyalty-agent replay`, and how they and a TOML file become settings. Reads no receipts.

An option on the command line goes before the TOML file, the file before the defaults.
"""

from __future__ import annotations

import argparse
import codecs
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from terminal_agent.replay.settings import Columns, FileFormat, ReplaySettings

__all__ = ["OptionsInvalid", "add_arguments", "settings_of"]

LANES_MAX = 256
FAULTS_MAX = 1_000
MAPPING_BYTES_MAX = 100_000
FORMAT_NAMES = tuple(field.name for field in fields(FileFormat) if field.name != "columns")
COLUMN_NAMES = tuple(field.name for field in fields(Columns))


class OptionsInvalid(ValueError):
    """The options contradict each other or the mapping is malformed; the text names the remedy."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare every option of the command on its parser."""
    parser.add_argument(
        "file", type=Path, metavar="FILE.csv[.gz]", help="the receipts; a header line names the columns"
    )
    _add_format(parser)
    _add_shops(parser)
    _add_faults(parser)
    _add_results(parser)


def _add_format(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how the file is written")
    group.add_argument("--columns", type=Path, metavar="FILE.toml", help="column names and format, see docs/replay.md")
    group.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=NAME",
        help=f"the column of one field; fields: {', '.join(COLUMN_NAMES)}; an empty NAME means there is none",
    )
    group.add_argument("--encoding", help="encoding of the file (default utf-8)")
    group.add_argument("--delimiter", help="character between the cells (default a comma; 'tab' for a tabulator)")
    group.add_argument("--decimal-mark", help="decimal mark of quantities and prices (default a point)")
    group.add_argument(
        "--date-format", metavar="FORMAT", help="how dates are written, as %%d/%%m/%%Y %%H:%%M (default ISO)"
    )
    group.add_argument("--timezone", metavar="ZONE", help="time zone of dates without offset (default UTC)")
    group.add_argument(
        "--cancellation-prefix",
        metavar="TEXT",
        help="start of the invoice numbers that take back (default C; empty: invoices with negative quantities only)",
    )


def _add_shops(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is replayed, and where")
    group.add_argument("--stores", type=_count(1, LANES_MAX), default=1, metavar="N", help="stores (default 1)")
    group.add_argument("--terminals", type=_count(1, LANES_MAX), default=1, metavar="N", help="terminals in each store")
    group.add_argument(
        "--registers", type=_count(1, LANES_MAX), default=2, metavar="N", help="registers at each terminal"
    )
    group.add_argument("--limit", type=_count(1, 10**9), metavar="N", help="the first N invoices only")
    group.add_argument(
        "--programme", type=Path, metavar="FILE.json", help="the programme (default: a point for each unit)"
    )
    group.add_argument("--currency", metavar="CODE", help="currency of the prices (default: the programme's)")
    group.add_argument("--redeem", action="store_true", help="redeem whenever a quote offers a reward (default: never)")


def _add_faults(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what goes wrong on the way")
    group.add_argument(
        "--outages", type=_count(0, FAULTS_MAX), default=0, metavar="N", help="how often central is killed"
    )
    group.add_argument(
        "--kills", type=_count(0, FAULTS_MAX), default=0, metavar="N", help="how often an agent is killed"
    )
    group.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the moments of the kills (default 1)")


def _add_results(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    group.add_argument(
        "--directory", type=Path, default=Path("build/replay"), metavar="DIR", help="for all that is made"
    )
    group.add_argument("--central-database", metavar="URL", help="central's database (default SQLite in the directory)")
    group.add_argument(
        "--balances", type=Path, metavar="OUT.csv", help="write member,available,owed as central holds them"
    )
    group.add_argument(
        "--rejects", type=Path, metavar="OUT.csv", help="write line,invoice,reason of all that was skipped"
    )
    group.add_argument("--json", action="store_true", help="end with one line of JSON")


def settings_of(arguments: argparse.Namespace) -> ReplaySettings:
    """Return the settings that the parsed arguments ask for. Raises OptionsInvalid."""
    if arguments.stores * arguments.terminals * arguments.registers > LANES_MAX:
        raise OptionsInvalid(f"stores × terminals × registers may be at most {LANES_MAX}; ask for fewer")
    return ReplaySettings(
        file=arguments.file,
        directory=arguments.directory.resolve(),
        format=_format(arguments),
        programme=arguments.programme,
        currency=arguments.currency,
        stores=arguments.stores,
        terminals=arguments.terminals,
        registers=arguments.registers,
        redeem=arguments.redeem,
        outages=arguments.outages,
        kills=arguments.kills,
        seed=arguments.seed,
        limit=arguments.limit,
        central_database=arguments.central_database,
        balances=arguments.balances,
        rejects=arguments.rejects,
        json=arguments.json,
    )


def _format(arguments: argparse.Namespace) -> FileFormat:
    mapping = {} if arguments.columns is None else _read_mapping(arguments.columns)
    columns = _known("columns", mapping.pop("columns", {}), COLUMN_NAMES)
    written = _known("format", mapping.pop("format", {}), FORMAT_NAMES)
    if mapping:
        raise OptionsInvalid(
            f"{arguments.columns}: {next(iter(mapping))!r} is not known; there are [columns] and [format]"
        )
    columns |= _known("--column", _pairs(arguments.column), COLUMN_NAMES)
    written |= {name: value for name in FORMAT_NAMES if (value := getattr(arguments, name)) is not None}
    chosen = FileFormat(columns=Columns(**columns), **written)
    return _checked(chosen)


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.loads(file.read(MAPPING_BYTES_MAX).decode())
    except OSError as error:
        raise OptionsInvalid(f"--columns {path} cannot be read: {error.strerror}; check the path") from None
    except ValueError as error:
        raise OptionsInvalid(f"--columns {path} is not TOML: {error}") from None


def _known(place: str, values: Any, names: Iterable[str]) -> dict[str, str]:
    """Return the values if each has one of the names and is a text."""
    if not isinstance(values, dict):
        raise OptionsInvalid(f"{place} must be a table, as [{place}]")
    for name, value in values.items():
        if name not in names:
            raise OptionsInvalid(f"{place}: there is no {name!r}; there are: {', '.join(names)}")
        if not isinstance(value, str):
            raise OptionsInvalid(f"{place}: {name} must be a text, not {value!r}")
    return cast(dict[str, str], values)


def _pairs(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise OptionsInvalid(f"--column {text}: write FIELD=NAME, as invoice=InvoiceNo")
    return dict(cast(tuple[str, str], tuple(text.split("=", 1))) for text in texts)


def _checked(chosen: FileFormat) -> FileFormat:
    delimiter = "\t" if chosen.delimiter in ("tab", "\\t") else chosen.delimiter
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise OptionsInvalid(f"the delimiter must be one character, as ; or tab, not {chosen.delimiter!r}")
    if len(chosen.decimal_mark) != 1 or chosen.decimal_mark.isalnum() or chosen.decimal_mark in "+-":
        raise OptionsInvalid(
            f"the decimal mark must be one character, as a point or comma, not {chosen.decimal_mark!r}"
        )
    try:
        codecs.lookup(chosen.encoding)
    except LookupError:
        raise OptionsInvalid(f"there is no encoding {chosen.encoding!r}; --encoding takes names as utf-8") from None
    return replace(chosen, delimiter=delimiter)


def _count(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers within bounds, for argparse."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse
