"""A small run of the fuzzer; `make fuzz-scanner` runs the great one."""

from __future__ import annotations

from tests.scanning.fuzz import fuzz


def test_scanner_11_bytes_without_sense_bring_exactly_the_scans_that_were_sent() -> None:
    result = fuzz(300_000, seed=7)
    assert result.bytes_plain + result.bytes_ssi >= 300_000
    assert result.scans_plain > 1_000
    assert 0 < result.scans_ssi < result.sent_ssi
    assert result.dropped_frames > 100
