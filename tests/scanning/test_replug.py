"""Fifty cycles of unplugging; `make replug` does a thousand."""

from __future__ import annotations

from tests.scanning.replug import replug


def test_scanner_03_and_04_fifty_replugs_truncate_nothing_and_leak_no_descriptor() -> None:
    result = replug(50)
    assert result.descriptors_after == result.descriptors_before
