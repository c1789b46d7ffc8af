"""The disk keeps what was synced, and of the rest everything, nothing or anything between."""

from __future__ import annotations

from random import Random

import pytest

from tests.crash.disk import SECTOR_BYTES, Disk
from tests.crash.recorder import Operation

IMAGES = 400


def _images(disk: Disk) -> list[dict[str, bytes]]:
    return [disk.image(Random(seed)) for seed in range(IMAGES)]


def _disk(*operations: Operation, files: dict[str, bytes] | None = None) -> Disk:
    disk = Disk(files)
    for operation in operations:
        disk.apply(operation)
    return disk


def test_what_was_there_before_is_durable() -> None:
    assert all(image == {"a": b"old"} for image in _images(_disk(files={"a": b"old"})))


def test_a_synced_write_survives_in_every_image() -> None:
    disk = _disk(Operation("write", 0, offset=1, data=b"new"), Operation("sync", 0), files={"a": b"oldest"})
    assert all(image == {"a": b"onewst"} for image in _images(disk))


def test_an_unsynced_write_survives_in_some_images() -> None:
    disk = _disk(Operation("write", 0, offset=0, data=b"new"), files={"a": b"old"})
    assert {image["a"] for image in _images(disk)} == {b"old", b"new"}
    assert disk.now() == {"a": b"new"}


def test_a_write_is_torn_at_sectors_only() -> None:
    disk = _disk(Operation("write", 0, offset=0, data=b"n" * 3 * SECTOR_BYTES), files={"a": b"o" * 3 * SECTOR_BYTES})
    sectors = {tuple(image["a"][at : at + 512] for at in (0, 512, 1024)) for image in _images(disk)}
    assert all(set(sector) in ({ord("o")}, {ord("n")}) for image in sectors for sector in image)
    assert len(sectors) == 8


def test_a_later_write_may_reach_the_disk_before_an_earlier_one() -> None:
    first, second = (Operation("write", 0, offset=0, data=data) for data in (b"1", b"2"))
    assert {image["a"] for image in _images(_disk(first, second, files={"a": b"0"}))} == {b"0", b"1", b"2"}


@pytest.mark.parametrize(
    ("operation", "after"),
    [(Operation("truncate", 0, size=1), b"o"), (Operation("allocate", 0, size=5), b"old\0\0")],
)
def test_a_change_of_size_survives_or_not(operation: Operation, after: bytes) -> None:
    images = {image["a"] for image in _images(_disk(operation, files={"a": b"old"}))}
    assert {b"old", after} <= images
    assert all(image == {"a": after} for image in _images(_disk(operation, Operation("sync", 0), files={"a": b"old"})))


def test_a_file_may_have_grown_without_its_data() -> None:
    disk = _disk(Operation("write", 0, offset=3, data=b"new"), files={"a": b"old"})
    images = {image["a"] for image in _images(disk)}
    assert {b"old", b"oldnew", b"old\0\0\0"} <= images
    assert all(image.startswith(b"old") for image in images)


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        (Operation("open", 1, name="b"), {"a": b"old", "b": b""}),
        (Operation("unlink", name="a"), {}),
        (Operation("rename", name="a", target="b"), {"b": b"old"}),
    ],
)
def test_a_name_is_durable_after_a_sync_of_the_directory(operation: Operation, after: dict[str, bytes]) -> None:
    images = _images(_disk(operation, files={"a": b"old"}))
    assert {"a": b"old"} in images
    assert after in images
    synced = _disk(operation, Operation("sync_directory"), files={"a": b"old"})
    assert all(image == after for image in _images(synced))


def test_a_file_that_is_synced_may_still_lose_its_new_name() -> None:
    disk = _disk(Operation("open", 0, name="a"), Operation("write", 0, data=b"x"), Operation("sync", 0))
    assert {tuple(image.items()) for image in _images(disk)} == {(), (("a", b"x"),)}


def test_a_deleted_name_may_come_back_with_what_was_synced() -> None:
    disk = _disk(
        Operation("unlink", name="a"),
        Operation("open", 1, name="a"),
        Operation("write", 1, data=b"new"),
        Operation("sync", 1),
        files={"a": b"old"},
    )
    assert {image.get("a") for image in _images(disk)} == {b"old", b"new", None}
