"""The programme of a replay: the simple one, a given one, and what is refused before anything starts."""

import json
from pathlib import Path

import pytest

from terminal_agent.replay.options import OptionsInvalid
from terminal_agent.replay.programme import minor_digits, programme_document


@pytest.mark.parametrize(("currency", "per_minor"), [(None, 100), ("EUR", 100), ("JPY", 1), ("TND", 1000)])
def test_the_simple_programme_gives_a_point_for_each_whole_unit(currency: str | None, per_minor: int) -> None:
    document, programme = programme_document(None, currency)
    assert programme.currency == (currency or "GBP")
    assert (programme.earning[0].points, programme.earning[0].per_minor) == (1, per_minor)
    assert json.loads(document)["currency"] == programme.currency


def test_a_given_programme_is_passed_on_byte_by_byte(tmp_path: Path) -> None:
    text = '{"format": "loyalty-programme-1",\n "name": "X", "version": 4, "currency": "BRL"}'
    (tmp_path / "programme.json").write_text(text)
    document, programme = programme_document(tmp_path / "programme.json", None)
    assert (document.decode(), programme.version) == (text, 4)


def test_the_currency_of_the_prices_is_that_of_the_programme(tmp_path: Path) -> None:
    path = tmp_path / "programme.json"
    path.write_text('{"format": "loyalty-programme-1", "name": "X", "version": 1, "currency": "BRL"}')
    assert programme_document(path, "BRL")[1].currency == "BRL"
    with pytest.raises(OptionsInvalid, match="counts in BRL"):
        programme_document(path, "EUR")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ('{"format": "loyalty-programme-1", "name": "X", "version": 1}', "currency is missing"),
        ('{"format": "loyalty-programme-1", "name": "X", "version": 1, "currency": "QQQ"}', "no ISO 4217 currency"),
    ],
)
def test_a_malformed_programme_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "programme.json").write_text(text)
    with pytest.raises(OptionsInvalid, match=message):
        programme_document(tmp_path / "programme.json", None)


def test_a_missing_programme_and_an_unknown_currency_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionsInvalid, match="check the path"):
        programme_document(tmp_path / "absent.json", None)
    with pytest.raises(OptionsInvalid, match="write it as GBP"):
        programme_document(None, "pounds")


def test_currencies_have_their_own_decimals() -> None:
    assert [minor_digits(currency) for currency in ("GBP", "JPY", "TND")] == [2, 0, 3]
