"""A tiny rendered set on disk: 15 training and 9 test videos of three motions, one training video damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.data.places import Places
from raysl.data.source import VideoSource
from tests.evaluation.tiny import DATA, UNREADABLE, damage, open_tiny


@pytest.fixture(scope="session")
def tiny_places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    places = Places({}, tmp_path_factory.mktemp("tiny"), cache_gigabytes=0.1)
    reader = DATA.build()
    root = places.root(DATA)
    reader.prepare(root)
    damage(root / reader.read(root).videos[UNREADABLE].path)
    return places


@pytest.fixture
def tiny(tiny_places: Places) -> VideoSource:
    return open_tiny(tiny_places)


@pytest.fixture
def own_places(tmp_path: Path) -> Places:
    """The same set rendered again without a frame cache, for tests that damage it."""
    return Places({}, tmp_path, cache_gigabytes=0)
