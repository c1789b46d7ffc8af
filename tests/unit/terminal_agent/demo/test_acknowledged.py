"""The POS's own list: on the disk line by line, and readable after a crash in mid-line."""

import os
from datetime import date
from pathlib import Path

import pytest

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.model import ReceiptKey
from terminal_agent.demo.acknowledged import AcknowledgedList, read_acknowledged, sale_line

BASKET = Basket.of("EUR", Line.of("PÃO", 250, 4, description="Pão de Ló\u2028\r\n"))


def line(number: int) -> dict[str, object]:
    key = ReceiptKey(store="s", register="1", business_date=date(2026, 5, 1), number=str(number))
    return sale_line(key, BASKET, member="A", reward=("off", 2))


def receipts(path: Path) -> list[str]:
    return [str(line["receipt"])[-1] for line in read_acknowledged(path)]


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    with AcknowledgedList(tmp_path / "list") as written:
        written.append(line(1))
        written.append(line(2))
    first, second = read_acknowledged(tmp_path / "list")
    assert first["basket"]["lines"][0]["description"] == "Pão de Ló\u2028\r\n"
    assert second["reward"] == {"id": "off", "count": 2}


def test_each_line_reaches_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list"
    synced: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(receipts(path)))
    with AcknowledgedList(path) as written:
        written.append(line(1))
        written.append(line(2))
    assert synced == [["1"], ["1", "2"]]


def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with AcknowledgedList(path) as written:
        written.append(line(1))
        written.append(line(2))
    os.truncate(path, path.stat().st_size - 5)
    assert receipts(path) == ["1"]
    with AcknowledgedList(path) as written:
        written.append(line(3))
    assert receipts(path) == ["1", "3"]
