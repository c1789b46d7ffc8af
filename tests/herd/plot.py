"""The plot of docs/herd.md: requests a second and entries left, with pacing and without. Draws, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.peers import library
from tests.herd.simulation import Result

__all__ = ["draw"]

COLOURS = {"on": "#1b7837", "off": "#b2182b"}


def draw(path: Path, runs: Mapping[str, Mapping[str, Result]]) -> None:
    """Write an SVG with a row of two diagrams for each scenario, `runs[scenario][pacing]`. Needs matplotlib."""
    matplotlib = library("matplotlib")
    matplotlib.use("svg")
    # The same run gives the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "herd", "font.size": 9})
    pyplot = library("matplotlib.pyplot")
    figure, rows = pyplot.subplots(len(runs), 2, figsize=(10, 2.6 * len(runs)), squeeze=False, layout="constrained")
    for (requests, left), (scenario, results) in zip(rows, runs.items(), strict=True):
        for pacing, result in results.items():
            _line(requests, result.requests, pacing)
            _line(left, [entries / 1e6 for entries in result.entries_left], pacing)
        requests.set_title(scenario, loc="left")
        requests.set_ylabel("requests a second")
        left.set_ylabel("million entries left")
        left.legend()
    for diagram in rows[-1]:
        diagram.set_xlabel("seconds since central can be reached")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _line(diagram: object, values: Sequence[float], pacing: str) -> None:
    diagram.plot(range(len(values)), values, color=COLOURS[pacing], linewidth=1, label=f"pacing {pacing}")  # type: ignore[attr-defined]  # an axes of matplotlib, which is imported by name
