"""The laws of SSI: nothing wrong is taken, nothing right is taken twice, and the cuts of the wire do not matter."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError
from drivers.scanner.protocol import ScannerCommand
from drivers.scanner.ssi import Ssi
from drivers.scanner.ssi_packets import Nak, Opcode, packet
from drivers.scanner.symbology import Symbology

SILENCE_S = 0.1
# As Zebra's guide prints them: the ACK and the NAK of a host.
ACK = bytes.fromhex("04 D0 04 00 FF 28")
NAK = bytes.fromhex("05 D1 04 00 01 FF 25")
CODE128, EAN13, QRCODE = b"\x03", b"\x0b", b"\x1c"


def ssi(frame_bytes_max: int = 4096, prefix: bytes = b"") -> Ssi:
    return Ssi(silence_s=SILENCE_S, frame_bytes_max=frame_bytes_max, suffixes=b"\r\n", prefix=prefix)


def decode_data(data: bytes, kind: bytes = CODE128, *, again: bool = False, continues: bool = False) -> bytes:
    return packet(Opcode.DECODE_DATA, kind + data, source=0, status=again | continues << 1)


def scans(subject: Ssi, data: bytes, at_s: float = 0.0) -> list[bytes]:
    return [frame.data for frame in subject.receive(data, at_s)]


def test_a_packet_is_built_as_the_guide_prints_it() -> None:
    assert packet(Opcode.ACK) == ACK
    assert packet(Opcode.NAK, bytes([Nak.RESEND])) == NAK


def test_scanner_10_a_right_packet_is_one_scan_and_gets_an_ack() -> None:
    subject = ssi()
    (frame,) = subject.receive(decode_data(b"4006381333931\r\n", EAN13), 0.0)
    assert (frame.data, frame.symbology) == (b"4006381333931", Symbology.EAN13)
    assert subject.take_outgoing() == ACK
    assert subject.take_outgoing() == b""


def test_scanner_10_a_bad_checksum_gets_one_nak_after_the_silence_and_no_scan() -> None:
    subject = ssi()
    damaged = bytearray(decode_data(b"4006381333931"))
    damaged[8] ^= 0x01
    assert scans(subject, bytes(damaged)) == []
    assert subject.take_outgoing() == b""
    assert scans(subject, b"", SILENCE_S) == []
    assert subject.take_outgoing() == NAK
    assert scans(subject, b"", SILENCE_S * 9) == []
    assert subject.take_outgoing() == b""
    assert scans(subject, decode_data(b"4006381333931", again=True), 1.0) == [b"4006381333931"]
    assert subject.take_outgoing() == ACK


@pytest.mark.parametrize("length", [0, 3, 40, 255])
def test_scanner_10_a_damaged_length_gets_a_nak_too(length: int) -> None:
    subject = ssi()
    sent = bytes([length]) + decode_data(b"4006381333931")[1:]
    assert scans(subject, sent) == []
    assert scans(subject, b"", SILENCE_S) == []
    assert subject.take_outgoing() == NAK


def test_scanner_10_a_resend_never_becomes_a_second_scan() -> None:
    subject = ssi()
    assert scans(subject, decode_data(b"4711")) == [b"4711"]
    for number in range(1, 4):
        assert scans(subject, decode_data(b"4711", again=True), number * 2.0) == []
    assert subject.take_outgoing() == ACK * 4, "or it would send for ever"


def test_scanner_10_a_resend_is_no_second_scan_even_after_noise_that_was_refused() -> None:
    subject = ssi()
    assert scans(subject, decode_data(b"4711")) == [b"4711"]
    assert scans(subject, b"\xff\xff\xff", 1.0) == []
    assert scans(subject, b"", 2.0) == []
    assert scans(subject, decode_data(b"4711", again=True), 3.0) == []


def test_scanner_10_the_same_code_scanned_anew_is_a_scan() -> None:
    subject = ssi()
    assert scans(subject, decode_data(b"4711")) == [b"4711"]
    assert scans(subject, decode_data(b"4711"), 2.0) == [b"4711"]
    assert scans(subject, decode_data(b"4711", again=True), 60.0) == [b"4711"], "no resend comes so late"


def test_scanner_10_a_packet_inside_of_a_damaged_one_is_no_scan() -> None:
    subject = ssi()
    outer = bytearray(decode_data(b"xx" + decode_data(b"forged") + b"yy", QRCODE))
    outer[-1] ^= 0xFF
    assert scans(subject, bytes(outer)) == []
    outer[0] = 5
    assert scans(ssi(), bytes(outer)) == []


def test_a_long_code_comes_in_several_packets() -> None:
    subject = ssi()
    assert scans(subject, decode_data(b"A" * 200, QRCODE, continues=True)) == []
    assert scans(subject, decode_data(b"B" * 200, QRCODE, continues=True)) == []
    assert scans(subject, decode_data(b"B" * 200, QRCODE, continues=True, again=True)) == []
    assert scans(subject, decode_data(b"C", QRCODE)) == [b"A" * 200 + b"B" * 200 + b"C"]
    assert subject.take_outgoing() == ACK * 4


def test_a_long_code_is_whole_or_not_at_all() -> None:
    subject = ssi()
    scans(subject, decode_data(b"HEAD", QRCODE, continues=True))
    scans(subject, b"\x09\xf3\x00", 0.5)
    scans(subject, b"", 1.0)
    # The scanner was asked for the packet again and sends another that is not flagged: it is in doubt.
    assert scans(subject, decode_data(b"MIDDLE", QRCODE, continues=True), 1.1) == []
    assert scans(subject, decode_data(b"TAIL", QRCODE), 1.2) == []
    assert scans(subject, decode_data(b"4711"), 1.3) == [b"4711"]


def test_a_code_that_the_scanner_gave_up_is_not_joined_to_the_next() -> None:
    subject = ssi()
    scans(subject, decode_data(b"HEAD", QRCODE, continues=True))
    assert scans(subject, decode_data(b"4711"), 7.0) == [b"4711"]


def test_a_packet_that_is_neither_early_nor_late_is_in_doubt_and_denied() -> None:
    subject = ssi()
    scans(subject, decode_data(b"HEAD", QRCODE, continues=True))
    assert scans(subject, decode_data(b"4711"), 3.0) == []
    assert subject.take_outgoing() == ACK + packet(Opcode.NAK, bytes([Nak.DENIED]))
    assert scans(subject, decode_data(b"4711"), 3.5) == [b"4711"]


@pytest.mark.parametrize("pause_s", [1.5, 7.0, 40.0])
def test_what_was_sent_again_after_a_pause_could_begin_another_scan_and_is_denied(pause_s: float) -> None:
    subject = ssi()
    scans(subject, decode_data(b"HEAD", QRCODE, continues=True))
    assert scans(subject, decode_data(b"4711", again=True), pause_s) == []
    assert scans(subject, decode_data(b"4711"), pause_s + 0.5) == [b"4711"]


def test_a_packet_that_was_asked_for_again_belongs_to_its_scan() -> None:
    subject = ssi()
    scans(subject, decode_data(b"HEAD", QRCODE, continues=True))
    scans(subject, decode_data(b"TAIL", QRCODE)[:-1] + b"\x00", 0.5)
    scans(subject, b"", 0.5 + SILENCE_S)
    assert scans(subject, decode_data(b"TAIL", QRCODE, again=True), 1.4) == [b"HEADTAIL"]


def test_a_packet_that_was_asked_for_again_long_after_the_others_is_denied() -> None:
    subject = ssi()
    scans(subject, decode_data(b"HEAD", QRCODE, continues=True))
    scans(subject, decode_data(b"4711")[:-1] + b"\x00", 5.0)
    scans(subject, b"", 5.0 + SILENCE_S)
    assert scans(subject, decode_data(b"4711", again=True), 5.2) == []


def test_a_code_beyond_the_limit_is_denied_to_its_last_packet() -> None:
    subject = ssi(frame_bytes_max=300)
    scans(subject, decode_data(b"A" * 200, QRCODE, continues=True))
    scans(subject, decode_data(b"B" * 200, QRCODE, continues=True), 0.1)
    assert scans(subject, decode_data(b"C", QRCODE), 0.2) == []
    assert subject.dropped_frames == 2
    denial = packet(Opcode.NAK, bytes([Nak.DENIED]))
    assert subject.take_outgoing() == ACK + denial * 2
    assert scans(subject, decode_data(b"C", QRCODE, again=True), 0.25) == [], "its end is no scan of its own"
    assert subject.take_outgoing() == denial
    assert scans(subject, decode_data(b"4711"), 0.3) == [b"4711"]


def test_events_are_acknowledged_and_what_is_unknown_is_left_alone() -> None:
    subject = ssi()
    assert scans(subject, packet(Opcode.EVENT, b"\x01", source=0) + packet(0xA4, b"rev", source=0)) == []
    assert subject.take_outgoing() == ACK


def test_a_prefix_is_dropped_and_an_empty_code_is_none() -> None:
    subject = ssi(prefix=b"~")
    assert scans(subject, decode_data(b"~4711\r")) == [b"4711"]
    assert scans(subject, decode_data(b"~\r")) == []


class Done:
    """What became of a command."""

    def __init__(self) -> None:
        self.reasons: list[DriverError | None] = []

    def __call__(self, reason: DriverError | None) -> None:
        self.reasons.append(reason)


@pytest.mark.parametrize(
    ("command", "opcode"), [("enable", 0xE9), ("disable", 0xEA), ("trigger", 0xE4), ("release", 0xE5), ("beep", 0xE6)]
)
def test_a_command_is_sent_and_done_with_the_ack(command: str, opcode: int) -> None:
    subject, done = ssi(), Done()
    subject.send(ScannerCommand(command), 0.0, done)
    sent = subject.take_outgoing()
    assert (sent[1], sent[2]) == (opcode, 4)
    assert done.reasons == []
    assert scans(subject, packet(Opcode.ACK, source=0), 0.1) == []
    assert done.reasons == [None]


def test_a_command_that_was_damaged_is_sent_again_and_one_that_is_denied_is_not() -> None:
    subject, done = ssi(), Done()
    subject.send(ScannerCommand.BEEP, 0.0, done)
    first = subject.take_outgoing()
    subject.receive(packet(Opcode.NAK, bytes([Nak.RESEND]), source=0), 0.1)
    second = subject.take_outgoing()
    assert (second[1], second[3]) == (first[1], 1)
    subject.receive(packet(Opcode.NAK, bytes([Nak.DENIED]), source=0), 0.2)
    assert "refused beep" in str(done.reasons[0])


def test_a_command_without_an_answer_is_sent_three_times_and_ends() -> None:
    subject, done = ssi(), Done()
    subject.send(ScannerCommand.BEEP, 0.0, done)
    sent = subject.take_outgoing()
    for tick in range(1, 50):
        subject.receive(b"", tick * 0.1)
        sent += subject.take_outgoing()
    assert len(sent) == 3 * len(packet(Opcode.BEEP, b"\x00"))
    assert "gave no answer to beep: check that it is set to SSI" in str(done.reasons[0])


def test_one_command_at_a_time_and_a_stray_answer_does_no_harm() -> None:
    subject, first, second = ssi(), Done(), Done()
    subject.receive(packet(Opcode.ACK, source=0), 0.0)
    subject.send(ScannerCommand.TRIGGER, 0.0, first)
    subject.send(ScannerCommand.BEEP, 0.0, second)
    assert "busy with trigger" in str(second.reasons[0])
    assert first.reasons == []


PIECES: st.SearchStrategy[tuple[bytes, list[bytes]]] = st.one_of(
    st.binary(min_size=1, max_size=20).map(lambda data: (decode_data(data), [data.rstrip(b"\r\n").lstrip(b"\x02")])),
    st.binary(min_size=1, max_size=8).map(lambda data: (b"\xff\x00\x07" + data, [])),
)


@given(pieces=st.lists(PIECES, max_size=12), cuts=st.lists(st.integers(0, 100), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_scans_and_answers(
    pieces: list[tuple[bytes, list[bytes]]], cuts: list[int]
) -> None:
    stream = b"".join(sent for sent, _ in pieces)
    offsets = sorted({0, len(stream)} | {cut * len(stream) // 100 for cut in cuts})
    whole, cut = ssi(), ssi()
    found = [scan for start, end in pairwise(offsets) for scan in scans(cut, stream[start:end])]
    assert found == scans(whole, stream)
    for subject in (whole, cut):
        subject.receive(b"", 1.0)
    assert cut.take_outgoing() == whole.take_outgoing()


@given(pieces=st.lists(PIECES, max_size=12))
def test_scanner_11_no_scan_that_was_not_sent_and_all_that_were_sent_right(
    pieces: list[tuple[bytes, list[bytes]]],
) -> None:
    subject, at_s, found = ssi(), 0.0, []
    for sent, _ in pieces:
        found += scans(subject, sent, at_s)
        at_s += 1.0
        found += scans(subject, b"", at_s)
    assert found == [data for _, expected in pieces for data in expected if data]


@given(st.binary(max_size=2_000))
def test_scanner_11_noise_is_bounded(noise: bytes) -> None:
    subject = ssi()
    subject.receive(noise, 0.0)
    assert len(subject._pending) <= 257
    subject.receive(b"", 1.0)
    assert (len(subject._pending), subject._damaged) == (0, False)
