"""Motion of a task's cases, against torchvision's RAFT called by hand; and what is no file of its weights."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.component import Chosen, find
from raysl.data.places import Places
from raysl.errors import ConfigError, NodeFault
from raysl.evaluation.features import labelled_videos
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.evaluation.protocols.motion_difference import GRID, MotionDifferenceOptions, compared, own_views
from raysl.views.center_crop import center_crop
from raysl.views.task_cases import task_cases
from tests.cells import tiny_cell
from tests.evaluation.tiny import CLIP, CPU, backbone, open_tiny
from tests.search_spaces.image_weights import save_flow_weights

SIZE, UPDATES = 128, 2


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of weights that are drawn."""
    return save_flow_weights(tmp_path_factory.mktemp("raft"))


def options_of(*names: str, **changes: Any) -> MotionDifferenceOptions:
    task = {name: Chosen("pretext task", name, find("pretext task", name).options()) for name in names}
    given = {"weights": "raft", "network": "small", "updates": UPDATES, "size": SIZE, "pairs": 2, "videos": 3}
    return MotionDifferenceOptions(**{"task": task, **given, **changes})


def measured(places: Places, files: dict[str, Path], options: MotionDifferenceOptions) -> EvaluationResult:
    task = Task(backbone(), open_tiny(places), CLIP, 0, CPU, cell=tiny_cell(), files=files)
    result: EvaluationResult = find("protocol", "motion_difference").build(options).evaluate(task)
    return result


def by_hand(places: Places, file: Path, options: MotionDifferenceOptions) -> list[tuple[float, float]]:
    """Difference and motion of each video in percent of the side, pair of frames by pair."""
    from torchvision.models.optical_flow import raft_small

    network = raft_small().eval()
    network.load_state_dict(torch.load(file, weights_only=True))

    def flow(first: Tensor, second: Tensor) -> Tensor:
        with torch.no_grad():
            both = network(2 * first[None] - 1, 2 * second[None] - 1, num_flow_updates=UPDATES)
        assert isinstance(both, list)
        last: Tensor = both[-1]
        return last[0]

    source, found = open_tiny(places), []
    for video in [labelled_videos(source, "test")[row] for row in (0, 3, 6)]:
        cases = task_cases(own_views(options, tiny_cell()), CLIP, source.length(video.index), video.index)
        flows = []
        for case in cases:
            (view,) = case.placements
            frames = source.frames(video.index, case.placements[view].indices(source.length(video.index)))
            clip = center_crop(frames, SIZE)
            for change in case.pixels.get(view, ()):
                clip = change(clip)
            flows.append([flow(clip[:, at], clip[:, at + 1]) for at in (0, 2)])
        apart = [
            (a - b).square().sum(dim=0).sqrt().mean()
            for one, other in combinations(flows, 2)
            for a, b in zip(one, other, strict=True)
        ]
        lengths = [one.square().sum(dim=0).sqrt().mean() for case in flows for one in case]
        difference, motion = (100 / SIZE * float(torch.stack(values).mean()) for values in (apart, lengths))
        found.append((difference, motion))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reverse", "rotation"])
def test_lengths_are_those_of_torchvisions_raft(name: str, tiny_places: Places, raft: Path) -> None:
    options = options_of(name)
    result = measured(tiny_places, {"raft": raft}, options)
    expected = by_hand(tiny_places, raft, options)
    found = result.predictions[["difference", "motion"]].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    difference, motion = np.array(expected).T
    assert result.predictions["correct"].tolist() == (difference > motion).tolist()
    assert result.metrics == {
        "changed": pytest.approx(100 * (difference > motion).mean()),
        "difference": pytest.approx(difference.mean(), rel=1e-3),
        "motion": pytest.approx(motion.mean(), rel=1e-3),
    }
    kept: Any = result.details["motion_difference"]
    assert [len(one["flow"]) for one in kept] == [len(one["cases"]) for one in kept]
    assert np.array(kept[0]["flow"]).shape[1:] == (2, GRID, GRID)
    assert len(str(result.details["weights_sha256"])) == 64


def test_flows_that_agree_differ_by_nothing_and_opposite_ones_by_twice_their_length() -> None:
    right = torch.tensor([3.0, 4.0]).view(2, 1, 1).expand(2, 16, 16)
    flows = torch.stack([torch.stack([right, right, right, -right]), torch.stack([right] * 4)]).flatten(2)
    found = compared(flows, cases=2, side=16)
    assert found.shape == (2, 2 + 2 * 2 * GRID * GRID)
    assert found[:, 0].tolist() == pytest.approx([100 * (0 + 10) / 2 / 16, 0])
    assert found[:, 1].tolist() == pytest.approx([100 * 5 / 16] * 2)


def test_a_file_that_is_not_there_or_no_weights_is_one_line(tiny_places: Places, raft: Path, tmp_path: Path) -> None:
    with pytest.raises(NodeFault, match=r"^raft: no file is bound to this name: pass --root raft=FILE, the state dict"):
        measured(tiny_places, {}, options_of("reverse"))
    with pytest.raises(NodeFault, match=r"there is no file none.pth where --root raft=FILE points"):
        measured(tiny_places, {"raft": tmp_path / "none.pth"}, options_of("reverse"))
    with pytest.raises(NodeFault, match=r"raft.pth is no state dict of torchvision's raft_large saved by torch.save"):
        measured(tiny_places, {"raft": raft}, options_of("reverse", network="large"))


def test_one_task_on_clips_of_its_own() -> None:
    check: Any = find("protocol", "motion_difference").check
    with pytest.raises(ConfigError, match="give one task, not 2"):
        check(options_of("reverse", "rotation"), tiny_cell())
    rotation: Any = find("pretext task", "rotation").options
    pair = Chosen("pretext task", "rotation", rotation(view="pair"))
    with pytest.raises(ConfigError, match="the task rotation has no own clips"):
        check(options_of(task={"rotation": pair}), tiny_cell())


def test_no_pair_of_frames_is_measured_twice() -> None:
    """The tiny clip has four frames, and one more before they are subtracted."""
    check: Any = find("protocol", "motion_difference").check
    check(options_of("reverse", pairs=3), tiny_cell())
    check(options_of("reverse", pairs=4), tiny_cell({"clip.input": "difference"}))
    with pytest.raises(
        ConfigError, match=r"pairs 4: a clip of the task has 3 pairs of consecutive frames; take at most 3"
    ):
        check(options_of("reverse", pairs=4), tiny_cell())
