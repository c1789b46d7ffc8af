"""Options and the mapping in TOML: what they mean, which goes first, and what is refused."""

import argparse
from pathlib import Path

import pytest

from terminal_agent.replay.options import OptionsInvalid, add_arguments, settings_of
from terminal_agent.replay.settings import Columns, FileFormat, ReplaySettings

MAPPING = """
[columns]
invoice = "Receipt"
member = "Card"
description = ""

[format]
encoding = "cp1252"
delimiter = ";"
date_format = "%d/%m/%Y %H:%M"
timezone = "Europe/Lisbon"
decimal_mark = ","
cancellation_prefix = "NC"
"""


def settings(*words: str) -> ReplaySettings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_of(parser.parse_args(["file.csv", *words]))


def mapping(folder: Path, text: str) -> str:
    path = folder / "columns.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_defaults_fit_the_public_data_set() -> None:
    chosen = settings()
    assert chosen.format == FileFormat()
    assert (chosen.stores, chosen.terminals, chosen.registers, chosen.redeem, chosen.limit) == (1, 1, 2, False, None)


def test_a_mapping_names_columns_and_format(tmp_path: Path) -> None:
    assert settings("--columns", mapping(tmp_path, MAPPING)).format == FileFormat(
        columns=Columns(invoice="Receipt", member="Card", description=""),
        encoding="cp1252",
        delimiter=";",
        date_format="%d/%m/%Y %H:%M",
        timezone="Europe/Lisbon",
        decimal_mark=",",
        cancellation_prefix="NC",
    )


def test_an_option_goes_before_the_mapping(tmp_path: Path) -> None:
    words = ("--column", "invoice=No=1", "--delimiter", "tab", "--cancellation-prefix", "")
    chosen = settings("--columns", mapping(tmp_path, MAPPING), *words).format
    assert (chosen.columns.invoice, chosen.columns.member) == ("No=1", "Card")
    assert (chosen.delimiter, chosen.cancellation_prefix, chosen.decimal_mark) == ("\t", "", ",")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[columns", "is not TOML"),
        ("[colums]\n", "'colums' is not known; there are"),
        ("columns = 1", "columns must be a table"),
        ("[columns]\nsku_code = 'x'", "columns: there is no 'sku_code'; there are: invoice"),
        ("[columns]\nsku = 3", "columns: sku must be a text"),
        ("[format]\ndelimiter = ';;'", "the delimiter must be one character"),
        ("[format]\ndecimal_mark = '0'", "the decimal mark must be one character"),
        ("[format]\nencoding = 'klingon'", "there is no encoding 'klingon'"),
        ("[format]\ncolumns = 'x'", "format: there is no 'columns'"),
    ],
)
def test_a_malformed_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionsInvalid, match=message.replace("[", r"\[")):
        settings("--columns", mapping(tmp_path, text))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--column", "invoice"), "write FIELD=NAME"),
        (("--column", "invoce=No"), "there is no 'invoce'"),
        (("--columns", "absent.toml"), "check the path"),
        (("--stores", "20", "--terminals", "20"), "at most 256"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionsInvalid, match=message):
        settings(*words)


@pytest.mark.parametrize("word", ["0", "-1", "257", "two", "1.5"])
def test_a_count_outside_its_bounds_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings("--registers", word)
    assert "is not a whole number from 1 to 256" in capsys.readouterr().err


def test_the_documented_mapping_is_that_of_the_defaults(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "replay.md").read_text(encoding="utf-8")
    documented = page.partition("```toml\n")[2].partition("```")[0]
    assert settings("--columns", mapping(tmp_path, documented)).format == FileFormat()
