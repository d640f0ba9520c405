"""Fixtures of the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.data.source import VideoSource
from tests.training.material import tiny_source


@pytest.fixture(scope="session")
def video_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the tiny videos, their manifest and their cache; not to be changed."""
    folder = tmp_path_factory.mktemp("training-videos")
    tiny_source(folder)
    return folder


@pytest.fixture(scope="session")
def source(video_folder: Path) -> VideoSource:
    return tiny_source(video_folder)
