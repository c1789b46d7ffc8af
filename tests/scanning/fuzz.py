"""Bytes without sense into the scanner's three layers: `python -m tests.scanning.fuzz --bytes 10000000`.

Half of the bytes go to plain serial, half to SSI. It asserts that nothing fails, that memory stays bounded, and that
exactly the scans come out that were sent. The seed is printed, and `--seed` runs the same again.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar

from drivers.scanner.framing import Framer
from drivers.scanner.ssi import Ssi
from drivers.scanner.symbology import decode
from terminal_agent.meaning import CodeRules, MeaningReader
from tests.scanning.plain_stream import GAP_S, LIMIT_BYTES, LIMIT_S, Reference, plain_pieces
from tests.scanning.ssi_stream import SsiScanner

__all__ = ["FuzzResult", "fuzz"]

GROWTH_MB_MAX = 8.0
PENDING_BYTES_MAX = 4_096
SSI_LIMIT_BYTES = 1_000

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzResult:
    """What was sent, what came of it, and what it cost."""

    seed: int
    bytes_plain: int
    scans_plain: int
    bytes_ssi: int
    sent_ssi: int
    scans_ssi: int
    dropped_frames: int
    growth_mb: float
    cpu_s: float


class Meanings:
    """Reads every scan as the agent does, so that nothing that a wire can bring makes that fail."""

    def __init__(self) -> None:
        self._reader = MeaningReader(CodeRules())

    def read(self, data: bytes) -> None:
        found = decode(data, encoding_fallback="cp1252", gs_substitute=b"{GS}")
        self._reader.read(found.data, found.symbology)


def fuzz(byte_count: int, seed: int, progress: Progress = lambda done: None) -> FuzzResult:
    """Run both halves. Raises AssertionError."""
    meanings, began_s = Meanings(), time.process_time()
    fuzz_plain(50_000, random.Random(seed), meanings)  # What is loaded once is loaded before memory is measured.
    before_mb = resident_mb()
    framer, bytes_plain, scans_plain = fuzz_plain(byte_count // 2, random.Random(seed), meanings, progress)
    ssi, scanner, scans_ssi = fuzz_ssi(byte_count - byte_count // 2, random.Random(seed), meanings, progress)
    growth_mb = resident_mb() - before_mb
    assert growth_mb <= GROWTH_MB_MAX, f"memory grew by {growth_mb:.1f} MB"
    return FuzzResult(
        seed=seed,
        bytes_plain=bytes_plain,
        scans_plain=scans_plain,
        bytes_ssi=scanner.byte_count,
        sent_ssi=len(scanner.sent),
        scans_ssi=scans_ssi,
        dropped_frames=framer.dropped_frames + ssi.dropped_frames,
        growth_mb=round(growth_mb, 2),
        cpu_s=round(time.process_time() - began_s, 1),
    )


def fuzz_plain(
    byte_count: int, source: random.Random, meanings: Meanings, progress: Progress = lambda done: None
) -> tuple[Framer, int, int]:
    """Compare the framer with the reference, piece by piece; return it, and the counts of bytes and scans."""
    framer = Framer(suffixes=b"\r\n\t\x03", idle_gap_s=GAP_S, frame_bytes_max=LIMIT_BYTES, frame_duration_s_max=LIMIT_S)
    reference, at_s, taken, scans = Reference(), 0.0, 0, 0
    for piece in plain_pieces(source, byte_count):
        at_s += piece.after_s
        found = [frame.data for frame in framer.receive(piece.data, at_s)]
        reference.take(piece.data, at_s)
        assert found == reference.found, f"byte {taken}: {found} is not {reference.found}"
        assert len(framer._pending) <= LIMIT_BYTES
        reference.found.clear()
        for data in found:
            meanings.read(data)
        taken, scans = taken + len(piece.data), scans + len(found)
        progress(len(piece.data))
    return framer, taken, scans


def fuzz_ssi(
    byte_count: int, source: random.Random, meanings: Meanings, progress: Progress = lambda done: None
) -> tuple[Ssi, SsiScanner, int]:
    """Let a scanner scan over a bad line; return the till's end, the scanner and the count of scans."""
    ssi = Ssi(silence_s=GAP_S, frame_bytes_max=SSI_LIMIT_BYTES)
    found: list[bytes] = []
    line_s = [0.0]

    def line(data: bytes, after_s: float) -> bytes:
        line_s[0] += after_s
        found.extend(frame.data for frame in ssi.receive(data, line_s[0]))
        assert len(ssi._pending) <= 257
        assert len(ssi._message) <= SSI_LIMIT_BYTES
        progress(len(data))
        return ssi.take_outgoing()

    scanner, scans = SsiScanner(source, line), 0
    while scanner.byte_count < byte_count:
        scanner.scan()
        scans += _check_scan(scanner, found)
        for data in found:
            meanings.read(data)
        found.clear()
    return ssi, scanner, scans


def _check_scan(scanner: SsiScanner, found: list[bytes]) -> int:
    """What came is the one code that was sent, once; and what the scanner knows to be taken has come."""
    code = scanner.sent[-1]
    assert found in ([], [code]), f"{found} came for {code!r}"
    assert found or code not in scanner.acknowledged[-1:], f"{code!r} was acknowledged and never came"
    # Numbers are all that is needed of what is over.
    del scanner.acknowledged[:-1]
    scanner.sent[-1] = b""
    return len(found)


def resident_mb() -> float:
    """The memory that this process holds, in megabytes."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


def main() -> int:
    """Run by command; 0 where everything holds."""
    arguments = _parse()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    console = Console(stderr=True)
    console.print(f"seed {seed}", highlight=False)
    with Bar(console=console) as bar:
        task = bar.add_task("bytes", total=arguments.bytes)
        result = fuzz(arguments.bytes, seed, lambda done: bar.advance(task, done))
    print(json.dumps(asdict(result)) if arguments.json else _sentence(result))
    return 0


def _sentence(result: FuzzResult) -> str:
    return (
        f"plain: {result.bytes_plain:,} bytes, {result.scans_plain:,} scans, all equal to the reference\n"
        f"SSI: {result.bytes_ssi:,} bytes, {result.sent_ssi:,} codes sent over a bad line, {result.scans_ssi:,} came, "
        "none twice, none that was not sent\n"
        f"memory grew by {result.growth_mb} MB; {result.dropped_frames:,} frames of noise dropped; "
        f"{result.cpu_s} s of CPU"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scanning.fuzz", description=__doc__)
    parser.add_argument("--bytes", type=int, default=10_000_000, metavar="N", help="default 10000000")
    parser.add_argument("--seed", type=int, metavar="N", help="run this one again (default: another every time)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
