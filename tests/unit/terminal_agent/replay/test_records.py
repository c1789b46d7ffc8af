"""Reading CSV: plain and gzipped, what is in no encoding, what is no CSV, and files that cannot be read."""

import gzip
from pathlib import Path

import pytest

from terminal_agent.replay.records import FileUnreadable, Record, read_records


def records(path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> list[Record]:
    return list(read_records(path, encoding=encoding, delimiter=delimiter))


def file(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def test_each_record_has_the_line_it_starts_in(tmp_path: Path) -> None:
    found = records(file(tmp_path, b'a,b\r\n1,"x\ny"\r\n\r\n2,z\r\n'))
    assert [(record.line, record.cells) for record in found] == [(1, ["a", "b"]), (2, ["1", "x\ny"]), (5, ["2", "z"])]


def test_a_gzipped_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert records(file(tmp_path, gzip.compress(b"a;b\n1;2\n")), delimiter=";")[1].cells == ["1", "2"]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert records(file(tmp_path, b"\xef\xbb\xbfa,b\n"))[0].cells == ["a", "b"]


def test_a_nul_is_a_character_as_any_other(tmp_path: Path) -> None:
    assert records(file(tmp_path, b"a,b\n1,x\0y\n"))[1].cells == ["1", "x\0y"]


def test_bytes_of_another_encoding_come_through_as_surrogates(tmp_path: Path) -> None:
    assert records(file(tmp_path, b"a\n5\xa3 NOTE\n"))[1].cells == ["5\udca3 NOTE"]
    assert records(file(tmp_path, b"a\n5\xa3 NOTE\n"), encoding="cp1252")[1].cells == ["5£ NOTE"]


def test_what_is_no_csv_is_a_problem_of_its_own_line(tmp_path: Path) -> None:
    found = records(file(tmp_path, b"a\n" + b"x" * 200_000 + b"\nfine\n"))
    assert found[1].problem.startswith("not CSV")
    assert found[1].line == 2
    assert found[2].cells == ["fine"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="check the path"):
        records(tmp_path / "absent.csv")


@pytest.mark.parametrize("cut", [12, 60])
def test_a_cut_gzip_file_is_refused(tmp_path: Path, cut: int) -> None:
    whole = gzip.compress(bytes(range(33, 127)) * 20)
    with pytest.raises(FileUnreadable, match="whole"):
        records(file(tmp_path, whole[:cut]))


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(bytes(range(33, 127)) * 20))
    whole[20:60] = bytes(40)
    with pytest.raises(FileUnreadable, match="whole"):
        records(file(tmp_path, bytes(whole)))


@pytest.mark.parametrize("encoding", ["klingon", "hex"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(FileUnreadable, match="--encoding"):
        records(file(tmp_path, b"a\n"), encoding=encoding)
