"""Looking at a backbone while it trains: when, and that training does not notice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import CellFailure
from raysl.evaluation.online_knn import online_knn
from raysl.evaluation.online_knn_options import OnlineKnnOptions
from raysl.models.backbone import Backbone
from raysl.results import CellFolder
from raysl.testing.ranks import run_ranks
from raysl.training.load_backbone import load_backbone
from raysl.training.loop import KilledError
from raysl.training.pretrain import pretrain
from raysl.training.probe import Probe
from tests.training.material import assert_equal_states, curves_of, final, folder_of, tiny_cell, tiny_source

CHECKPOINTS = {"training.steps": 6, "training.checkpoint_steps": 4}


def looks(times: int, steps: int) -> dict[int, int]:
    """Step to the number of the look after it."""
    probe = Probe(times, lambda backbone, number: None)
    due = {step: probe.due(step, steps) for step in range(1, steps + 1)}
    return {step: number for step, number in due.items() if number is not None}


def test_looks_are_at_even_distances_and_the_last_is_at_the_end() -> None:
    assert looks(4, 4) == {1: 1, 2: 2, 3: 3, 4: 4}
    assert looks(4, 8) == {2: 1, 4: 2, 6: 3, 8: 4}
    assert looks(3, 10) == {4: 1, 7: 2, 10: 3}
    assert looks(1, 5) == {5: 1}
    assert looks(8, 3) == {1: 2, 2: 5, 3: 8}, "with fewer steps some are passed over"
    assert looks(5, 1) == {1: 5}


@pytest.mark.parametrize("times", range(1, 13))
def test_numbers_rise_and_none_is_late(times: int) -> None:
    for steps in range(1, 40):
        found = looks(times, steps)
        assert len(found) == min(times, steps)
        assert list(found.values()) == sorted(set(found.values()))
        assert found[steps] == times
        for step, number in found.items():
            assert number / times <= step / steps < (number + 1) / times + 1 / steps


class Looks:
    """Scores at every look, as a search does, and keeps what the backbone was like."""

    def __init__(self, times: int, source: VideoSource, cell: CellConfig) -> None:
        self.source, self.cell = source, cell
        self.seen: dict[int, tuple[float, dict[str, torch.Tensor]]] = {}
        self.probe = Probe(times, self.look)

    def look(self, backbone: Backbone, number: int) -> None:
        assert backbone.training
        options = OnlineKnnOptions(neighbors=3)
        score = online_knn(backbone, self.source, self.cell.clip, options, device=torch.device("cpu"))
        self.seen[number] = score, {name: value.clone() for name, value in backbone.state_dict().items()}


def trained(cell: CellConfig, source: VideoSource, storage: Path, times: int | None) -> tuple[CellFolder, Looks | None]:
    folder, seen = folder_of(storage, cell, source), None if times is None else Looks(times, source, cell)
    pretrain(cell, folder, source, probe=None if seen is None else seen.probe)
    return folder, seen


def test_training_does_not_notice(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**CHECKPOINTS)
    (plain, _), (watched, seen) = (trained(cell, source, tmp_path / str(times), times) for times in (None, 3))
    expected, found = final(plain, cell), final(watched, cell)
    assert_equal_states(expected.model, found.model)
    for key, state in expected.optimizer["state"].items():
        assert_equal_states(state, found.optimizer["state"][key])
    assert curves_of(watched)["loss/total"].equals(curves_of(plain)["loss/total"])
    assert seen is not None
    assert list(seen.seen) == [1, 2, 3]
    last_score, last = seen.seen[3]
    stored = load_backbone(cell, watched)
    assert_equal_states(last, stored.state_dict())
    assert any(not torch.equal(value, last[name]) for name, value in seen.seen[2][1].items())
    again = online_knn(stored, source, cell.clip, OnlineKnnOptions(neighbors=3), device=torch.device("cpu"))
    assert again == last_score


@pytest.mark.slow
def test_after_a_kill_only_the_later_looks_come_with_the_same_backbone(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**CHECKPOINTS)
    _, whole = trained(cell, source, tmp_path / "whole", 6)
    folder = folder_of(tmp_path / "killed", cell, source)
    first, second = (Looks(6, source, cell) for _ in range(2))
    with pytest.raises(KilledError):
        pretrain(cell, folder, source, probe=first.probe, stop_after=5)
    pretrain(cell, folder, source, probe=second.probe)
    assert (list(first.seen), list(second.seen)) == ([1, 2, 3, 4, 5], [5, 6]), "the checkpoint is of step 4"
    assert whole is not None
    for number, (score, state) in (first.seen | second.seen).items():
        assert score == whole.seen[number][0]
        assert_equal_states(state, whole.seen[number][1])
    third = Looks(6, source, cell)
    pretrain(cell, folder, source, probe=third.probe)
    assert third.seen == {}, "it was done"


def test_what_a_look_finds_wrong_fails_the_cell(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**CHECKPOINTS)

    def look(backbone: Backbone, number: int) -> None:
        raise CellFailure(f"look {number} found nothing good")

    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(CellFailure, match="look 1 found"):
        pretrain(cell, folder, source, probe=Probe(2, look))
    assert (folder.state().status, folder.state().reason) == ("failed", "look 1 found nothing good")


def _on_rank(rank: int, videos: str, storage: str) -> dict[int, float]:
    cell = tiny_cell(**CHECKPOINTS, **{"training.workers": 2})
    source = tiny_source(Path(videos))
    trained(cell, source, Path(storage) / "plain", None)
    _, seen = trained(cell, source, Path(storage) / "watched", 3)
    assert seen is not None
    return {number: score for number, (score, _) in seen.seen.items()}


@pytest.mark.slow
def test_two_ranks_do_not_notice_and_see_one_backbone(video_folder: Path, source: VideoSource, tmp_path: Path) -> None:
    one, other = run_ranks(_on_rank, 2, str(video_folder), str(tmp_path))
    assert one == other
    assert list(one) == [1, 2, 3]
    cell = tiny_cell(**CHECKPOINTS)
    expected, found = (final(folder_of(tmp_path / name, cell, source), cell).model for name in ("plain", "watched"))
    for name, value in expected.items():
        if "running_" in name:  # averaged over the ranks more often: equal but for rounding
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7)
        else:
            assert torch.equal(found[name], value), name
