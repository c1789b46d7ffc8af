"""A power cut at any moment costs nothing that was acknowledged; the same harness fails where syncs are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.power_cut import Settings, run

IMAGES = 300
# Measured: one image in two fails under NORMAL, nine in ten under OFF.
CONTROL_IMAGES = 40
RELEASED_IMAGES = 100
RELEASED = sorted(Path(__file__).parents[1].glob("fixtures/**/journal.db"))


@pytest.mark.usefixtures("library")
def test_no_power_cut_loses_or_damages_anything(tmp_path: Path) -> None:
    result = run(Settings(images=IMAGES, lives=2, steps=40, keep=tmp_path))
    assert result.images == IMAGES
    assert result.findings == [], f"the images are kept in {tmp_path}"


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_the_harness_fails_with_weaker_syncs(synchronous: str) -> None:
    result = run(Settings(synchronous=synchronous, images=CONTROL_IMAGES, lives=1, steps=40))
    assert result.kinds["lost"] > 0
    assert result.holds


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("journal", RELEASED, ids=lambda path: str(path.parent.name))
def test_no_power_cut_while_a_released_journal_is_opened_costs_anything(journal: Path, tmp_path: Path) -> None:
    """Where the schema has changed since, the first operations are its migration."""
    result = run(Settings(images=RELEASED_IMAGES, lives=1, steps=6, keep=tmp_path, journal=journal))
    assert result.findings == [], f"the images are kept in {tmp_path}"
