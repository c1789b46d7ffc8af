"""A CSV file of members: what spreadsheets of several countries write, and what is refused by line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_api.members.import_file import BALANCE_MAX, ImportFile, ImportInvalid, ImportRow, read_import_file


def read(folder: Path, content: str | bytes) -> ImportFile:
    file = folder / "members.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_import_file(file)


def refused(folder: Path, content: str | bytes) -> dict[int, str]:
    return {one.line: one.reason for one in read(folder, content).refused}


def invalid(folder: Path, content: str | bytes) -> str:
    with pytest.raises(ImportInvalid, match="nothing was imported") as caught:
        read(folder, content)
    return str(caught.value)


MARIA = ImportRow(line=2, alias="2000", name="Maria Gonçalves", tier="ouro", balance=120)


@pytest.mark.parametrize(
    "content",
    [
        "alias,name,tier,balance\n2000,Maria Gonçalves,ouro,120\n",
        "\ufeffalias;name;tier;balance\r\n2000;Maria Gonçalves;ouro;120\r\n",
        ' Balance ; NAME;Alias;tier;;\n120;"Maria Gonçalves";2000;ouro;;',
        "alias;name;tier;balance\n2000; Maria Gonçalves ;ouro; 120 \n;;;\n\n",
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, content)
    assert (list(found.rows), list(found.refused)) == ([MARIA], [])


def test_tier_and_balance_may_be_missing(tmp_path: Path) -> None:
    assert list(read(tmp_path, "alias,name\n1,Ana\n2,\n").rows) == [
        ImportRow(line=2, alias="1", name="Ana"),
        ImportRow(line=3, alias="2", name=""),
    ]
    assert read(tmp_path, "alias,name,balance\n1,Ana,\n").rows[0].balance == 0


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_another_encoding_is_named_with_its_line(tmp_path: Path, encoding: str) -> None:
    text = invalid(tmp_path, "alias;name\n1;Ana\n2;João Gonçalves\n".encode(encoding))
    assert "line 3 is not UTF-8 (perhaps Windows-1252: '2;João Gonç" in text
    assert "save it as 'CSV UTF-8'" in text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    data = "alias;name\n1;João\n".encode(encoding)
    assert "UTF-16, not UTF-8" in invalid(tmp_path, data if encoding == "utf-16" else b"\xff\xfe" + data)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "the first line must name the columns alias,name,tier,balance"),
        ("card\n1\n", "not 'card'"),
        ("alias\tname\n1\tAna\n", "must name the columns"),
        ("alias,name,city\n1,Ana,Porto\n", "remove 'city'"),
        ("alias,name,name\n1,Ana,Rui\n", "must name the columns"),
        ('alias,name\n1,"Ana\n2,Rui\n', "begins in line 2 is no CSV"),
        ('alias,name\n1,Ana\n2,"Rui"s\n', "begins in line 3 is no CSV"),
        ("alias,name\n1," + "x" * 200_000, "line 2: longer than"),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_not_used(tmp_path: Path, content: str, text: str) -> None:
    assert text in invalid(tmp_path, content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportInvalid, match="cannot be read: No such file"):
        read_import_file(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Ana,,", "the alias is empty"),
        ("2E+12,Ana,,", "a spreadsheet has shortened this number"),
        ('"2,00E+12",Ana,,', "a spreadsheet has shortened this number"),
        ("x" * 257 + ",Ana,,", "at most 256 printable"),
        ("a\x00b,Ana,,", "at most 256 printable"),
        ("1," + "n" * 201 + ",,", "a name has at most 200"),
        ('1,"two\nlines",,', "a name has at most 200"),
        ("1,Ana," + "t" * 65 + ",", "a tier has at most 64"),
        ("1,Ana,,-5", "a balance is a whole number"),
        ("1,Ana,,1.000", "a balance is a whole number"),
        ("1,Ana,,\uff11\uff12", "a balance is a whole number"),
        (f"1,Ana,,{BALANCE_MAX + 1}", "a balance is a whole number"),
        ("1,Ana,," + "9" * 5_000, "a balance is a whole number"),
        ("1,Ana,," + "0" * 5_000 + "1", "a balance is a whole number"),
        ("1,Ana", "has 2 fields, not 4"),
        ("1,Silva,Ana,,5", "has 5 fields, not 4; put a field with , into quotation marks"),
    ],
)
def test_a_row_that_is_wrong_is_refused_and_no_other(tmp_path: Path, row: str, reason: str) -> None:
    found = read(tmp_path, f"alias,name,tier,balance\n7,Rui,,\n{row}\n9,Eva,,3\n")
    assert [one.alias for one in found.rows] == ["7", "9"]
    (one,) = found.refused
    assert one.line == 3
    assert reason in one.reason


def test_an_alias_that_stands_twice_is_refused_with_the_first_line(tmp_path: Path) -> None:
    found = read(tmp_path, 'alias,name\n1,Ana\n"2","two\n\nlines"\n 1 ,Rui\n1,Eva\n')
    assert [(one.line, one.reason[:29]) for one in found.refused] == [
        (3, "a name has at most 200 printa"),
        (6, "the alias stands in line 2 al"),
        (7, "the alias stands in line 2 al"),
    ]


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=12), delimiter=st.sampled_from(",;"))
def test_every_row_is_either_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("alias", "name"), *rows])
    found = read(tmp_path_factory.mktemp("rows"), written.getvalue())
    something = [row for row in rows if any(cell.strip() for cell in row)]
    assert len(found.rows) + len(found.refused) == len(something)
    assert {(one.alias, one.name) for one in found.rows} <= {(a.strip(), n.strip()) for a, n in something}
