"""The device under test, beside which the CPU is the reference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from raysl.data.places import Places
from raysl.training.precision import choose_device
from tests.training.conftest import source, video_folder

__all__ = ["source", "video_folder"]
"""Fixtures of the training tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The GPU, or what RAYSL_TEST_DEVICE names; its tests are skipped where there is neither."""
    named = os.environ.get("RAYSL_TEST_DEVICE")
    if named is None and not torch.cuda.is_available():
        pytest.skip("no GPU here (RAYSL_TEST_DEVICE=cpu runs this on the CPU)")
    return choose_device(named or "cuda:0")


@pytest.fixture(autouse=True)
def _full_float32() -> Iterator[None]:
    """Convolutions in TF32, PyTorch's default, agree with the CPU to three digits alone."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Of the tiny videos of the evaluation tests."""
    folder = tmp_path_factory.mktemp("gpu-evaluation")
    return Places({"synthetic": folder / "videos"}, folder / "cache", 1.0)
