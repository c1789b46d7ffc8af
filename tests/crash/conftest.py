"""What the crash tests share: the recorder, compiled once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.recorder import RecorderUnavailable, compile_recorder


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled recorder; without a compiler its tests are skipped."""
    try:
        return compile_recorder(tmp_path_factory.mktemp("recorder"))
    except RecorderUnavailable as error:
        pytest.skip(f"the power cuts were not run: {error}")
