"""One rendered set for all tests of computing."""

from __future__ import annotations

import pytest

from raysl.data.places import Places


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places({}, tmp_path_factory.mktemp("work-cache"), cache_gigabytes=0.1)
