from __future__ import annotations

import pytest

from raysl.data.source import VideoSource
from tests.views.sets import open_set


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    """Fourteen training videos of 20 frames, decoded from MP4."""
    return open_set(tmp_path_factory.mktemp("views-set"))
