"""Every shipped study can be counted before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.cells import unique_cells
from raysl.data.places import Places
from raysl.planning.cost import Estimates, KnownData
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from tests.search_spaces.shipped import STUDIES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def estimates(folder: Path) -> Estimates:
    """Of all studies: many have networks of the same shape."""
    return Estimates(KnownData(Places({}, folder)))


UNKNOWN = {"motion_difference"}
"""Protocols that a plan says nothing of: no calibration measures RAFT."""


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_on_rendered_videos_has_steps_clips_and_bytes(path: Path, folder: Path, estimates: Estimates) -> None:
    for cell in unique_cells(plan_study(load_study(path, "smoke"))):
        cost = estimates.of(cell)
        unknown = [one.label for one in cell.own if one.protocol.name in UNKNOWN]
        assert len(cost.unknown) == len(unknown), cell.title
        assert cost.stored
        assert (bool(cost.steps), bool(cost.clips)) == (cell.pretrains, cell.pretrains)
        whats = ", ".join(part.what for part in cost.parts)
        for evaluation in cell.own:
            assert (evaluation.label in whats) != (evaluation.label in unknown), cell.title
    assert not list(folder.rglob("*")), "nothing is rendered, read or written"
