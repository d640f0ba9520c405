"""Fixtures that the whole suite shares."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
import torch

# Tests run beside each other, and their networks are small. Cells too take no more threads than this says.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported meanwhile stays: to look for garbage in it took more than a quarter of the time, and goes on to
    take some at every later look if it is not set aside."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or extensions that count what they made call it leaked


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real videos and split files (see README, "Tests"); tests that need it are skipped without it."""
    given = os.environ.get("RAYSL_TEST_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real test data absent: set RAYSL_TEST_DATA to a folder that holds it")
    return folder
