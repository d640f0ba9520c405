"""Every shipped study can be counted before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.data.places import Places
from raysl.planning.cost import Estimates, KnownData
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from tests.search_spaces.shipped import STUDIES


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_on_rendered_videos_has_steps_clips_and_bytes(path: Path, tmp_path: Path) -> None:
    estimates = Estimates(KnownData(Places({}, tmp_path)))
    for cell in plan_study(load_study(path, "smoke")):
        cost = estimates.of(cell)
        assert cost.unknown == (), cell.title
        assert cost.stored
        assert (bool(cost.steps), bool(cost.clips)) == (cell.pretrains, cell.pretrains)
        whats = ", ".join(part.what for part in cost.parts)
        for evaluation in cell.evaluations:
            assert evaluation.label in whats, cell.title
    assert not list(tmp_path.rglob("*")), "nothing is rendered, read or written"
