"""The laws of framing: what ends a scan, what never does, and that the cuts of the wire do not matter."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError
from drivers.scanner.framing import Framer
from drivers.scanner.protocol import ScannerCommand

GAP_S = 0.1


def framer(
    *,
    suffixes: bytes = b"\r\n\t\x03",
    idle_gap_s: float | None = GAP_S,
    frame_bytes_max: int = 64,
    frame_duration_s_max: float = 5.0,
    prefix: bytes = b"",
) -> Framer:
    return Framer(
        suffixes=suffixes,
        idle_gap_s=idle_gap_s,
        frame_bytes_max=frame_bytes_max,
        frame_duration_s_max=frame_duration_s_max,
        prefix=prefix,
    )


def scans(subject: Framer, *pieces: bytes, at_s: float = 0.0, step_s: float = 0.0) -> list[bytes]:
    found = []
    for number, piece in enumerate(pieces):
        found += [frame.data for frame in subject.receive(piece, at_s + number * step_s)]
    return found


@pytest.mark.parametrize("suffix", [b"\r", b"\n", b"\r\n", b"\t", b"\x03", b"\x03\r\n", b"\r\r\n\n"])
def test_scanner_01_each_suffix_ends_one_scan_and_never_adds_an_empty_one(suffix: bytes) -> None:
    assert scans(framer(), b"111" + suffix + b"222" + suffix) == [b"111", b"222"]


def test_scanner_01_an_idle_gap_ends_a_scan() -> None:
    subject = framer()
    assert scans(subject, b"111") == []
    assert scans(subject, b"", at_s=GAP_S * 0.9) == []
    assert scans(subject, b"", at_s=GAP_S) == [b"111"]
    assert scans(subject, b"", at_s=GAP_S * 5) == []


def test_scanner_01_bytes_after_a_gap_begin_another_scan() -> None:
    assert scans(framer(), b"111", b"222\r", step_s=GAP_S) == [b"111", b"222"]


@pytest.mark.parametrize("data", [b"\x02111\x03", b"\x02\x02111\r", b"\x02111\x03\r\n"])
def test_scanner_01_an_stx_prefix_is_dropped(data: bytes) -> None:
    assert scans(framer(), data) == [b"111"]
    assert scans(framer(), *[bytes([byte]) for byte in data]) == [b"111"]


@pytest.mark.parametrize("data", [b"~~111\r", b"\x02~~111\x03", b"111\r"])
def test_scanner_01_a_configured_prefix_is_dropped_wherever_the_wire_cuts(data: bytes) -> None:
    assert scans(framer(prefix=b"~~"), data) == [b"111"]
    assert scans(framer(prefix=b"~~"), *[bytes([byte]) for byte in data]) == [b"111"]
    assert scans(framer(prefix=b"~~"), b"~~\r~111\r") == [b"~111"]


def test_a_scanner_that_just_sends_takes_no_commands() -> None:
    subject, reasons = framer(), list[DriverError | None]()
    subject.send(ScannerCommand.BEEP, 0.0, reasons.append)
    assert 'no command for beep: set protocol = "ssi"' in str(reasons[0])
    assert subject.take_outgoing() == b""


def test_scanner_02_a_frame_split_by_pauses_below_the_gap_is_one_scan() -> None:
    assert scans(framer(), b"1", b"2", b"3", b"\r", step_s=GAP_S * 0.9) == [b"123"]


def test_without_an_idle_gap_only_a_suffix_ends_a_scan() -> None:
    assert scans(framer(idle_gap_s=None), b"1", b"2\r", step_s=3.0) == [b"12"]


def test_without_suffixes_only_the_gap_ends_a_scan() -> None:
    subject = framer(suffixes=b"")
    assert scans(subject, b"BEGIN:VCARD\r\nEND\r\n") == []
    assert scans(subject, b"", at_s=1.0) == [b"BEGIN:VCARD\r\nEND\r\n"]


def test_scanner_11_a_flood_is_dropped_whole_and_the_next_scan_is_whole() -> None:
    subject = framer(frame_bytes_max=8)
    assert scans(subject, b"x" * 100_000, b"tail\r", b"222\r") == [b"222"]
    assert subject.dropped_frames == 1
    assert len(subject._pending) == 0


def test_scanner_11_a_gap_ends_a_flood_too() -> None:
    subject = framer(frame_bytes_max=8)
    assert scans(subject, b"x" * 9, b"222\r", step_s=GAP_S) == [b"222"]


def test_scanner_11_a_drip_is_capped_in_time() -> None:
    subject = framer(frame_duration_s_max=1.0)
    assert scans(subject, *[b"x"] * 30, step_s=0.09) == []
    assert scans(subject, b"\r222\r", at_s=3.0) == [b"222"]


def test_scanner_07_gs_survives_inside_of_a_frame() -> None:
    assert scans(framer(), b"]C10112345\x1d10ABC\r") == [b"]C10112345\x1d10ABC"]


BYTES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\t", b"\x03", b"\x02", b"\x1d", b"A", b"7", b"\xc3", b"A" * 20]), max_size=40
).map(b"".join)


@given(stream=BYTES, cuts=st.lists(st.integers(0, 100), max_size=12), step_s=st.floats(0, GAP_S * 0.5))
def test_any_cut_of_the_stream_gives_the_same_scans(stream: bytes, cuts: list[int], step_s: float) -> None:
    # No cut twice: an empty piece would let time pass, and two of them are a gap.
    offsets = sorted({0, len(stream)} | {cut * len(stream) // 100 for cut in cuts})
    pieces = [stream[start:end] for start, end in pairwise(offsets)]
    whole, cut = framer(frame_bytes_max=24), framer(frame_bytes_max=24)
    ended = [b"", b"\r"]
    assert scans(cut, *pieces, *ended, step_s=step_s) == scans(whole, stream, *ended)
    assert cut.dropped_frames == whole.dropped_frames


def test_an_stx_inside_of_a_frame_stays_wherever_the_wire_cuts() -> None:
    assert scans(framer(), b"1\x022\r") == scans(framer(), b"1", b"\x022\r") == [b"1\x022"]


@given(stream=BYTES)
def test_no_scan_is_empty_too_long_or_holds_an_end(stream: bytes) -> None:
    for data in scans(framer(frame_bytes_max=24), stream, b"\r"):
        assert 0 < len(data) <= 24
        assert not set(data) & set(b"\r\n\t\x03")
