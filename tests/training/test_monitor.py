"""Looking at a backbone while it trains: training does not notice, and a collapse is seen."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.evaluation.monitor import look, monitored_videos
from raysl.models.backbone import Backbone
from raysl.notes import heard
from raysl.results import CellFolder
from raysl.testing.ranks import run_ranks
from raysl.training.load_backbone import load_backbone
from raysl.training.loop import KilledError
from raysl.training.monitor import Monitor
from raysl.training.monitored import PREFIX, Monitored
from raysl.training.pretrain import pretrain
from raysl.training.progress import Progress
from tests.training.material import (
    assert_equal_states,
    curves_of,
    done_attempt,
    final,
    folder_of,
    logged_steps,
    tiny_cell,
    tiny_source,
)

CHECKPOINTS = {"training.steps": 6, "training.checkpoint_steps": 4}
COLLAPSING = {
    "optimizer.learning_rate.value": 0.01,
    "training.steps": 50,
    "training.checkpoint_steps": 50,
}


def seen(cell: CellConfig, source: VideoSource, backbone: Backbone) -> dict[str, float]:
    videos = monitored_videos(source, 12)
    return look(backbone, source, videos, cell.clip, device=torch.device("cpu"))


def trained(
    cell: CellConfig, source: VideoSource, storage: Path, points: int, stop_after: int | None = None
) -> CellFolder:
    folder = folder_of(storage, cell, source)
    monitor = Monitor(points, partial(seen, cell, source), "a cell")
    pretrain(cell, folder, source, monitor=monitor if points else None, stop_after=stop_after)
    return folder


def monitored(folder: CellFolder) -> pd.DataFrame:
    """Step and what was seen after it."""
    curves = curves_of(folder)
    return curves[["step", *(name for name in curves if str(name).startswith(PREFIX))]]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"batch_norm_group": 2, "training.chunk": 2}, marks=pytest.mark.slow),
        pytest.param({"augment": {"name": "standard"}, "training.log_steps": 4}, marks=pytest.mark.slow),
    ],
)
def test_training_does_not_notice(changes: dict[str, object], source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**CHECKPOINTS, **changes)
    plain, watched = (trained(cell, source, tmp_path / str(points), points) for points in (0, 3))
    expected, found = final(plain, cell), final(watched, cell)
    assert_equal_states(expected.model, found.model)
    for key, state in expected.optimizer["state"].items():
        assert_equal_states(state, found.optimizer["state"][key])
    assert torch.equal(expected.random[0]["torch"], found.random[0]["torch"])
    losses, watched_losses = (
        dict(zip(one["step"], one["loss/total"], strict=True)) for one in map(curves_of, (plain, watched))
    )
    assert losses.items() <= watched_losses.items()
    assert not any(str(name).startswith(PREFIX) for name in curves_of(plain))

    looks = monitored(watched).dropna()
    assert looks["step"].tolist() == [2, 4, 6], "rows of their own where none is logged"
    again = seen(cell, source, load_backbone(cell, watched))
    assert {name: looks[PREFIX + name].iloc[-1] for name in again} == again
    for name in again:
        assert [step for step, _ in logged_steps(done_attempt(tmp_path / "3"), PREFIX + name)] == [2, 4, 6]
    assert [step for step, _ in logged_steps(done_attempt(tmp_path / "3"))] == monitored(watched)["step"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(3, 3), (0, 3), (3, 0)])
def test_a_resumed_run_has_the_same_looks_also_where_they_were_switched_on_or_off(
    before: int, after: int, source: VideoSource, tmp_path: Path
) -> None:
    cell = tiny_cell(**CHECKPOINTS)
    whole = monitored(trained(cell, source, tmp_path / "whole", 3))
    whole.loc[whole["step"].isin([*([] if before else [2, 4]), *([] if after else [6])]), list(whole)[1:]] = math.nan
    with pytest.raises(KilledError):
        trained(cell, source, tmp_path / "killed", before, stop_after=5)
    pd.testing.assert_frame_equal(monitored(trained(cell, source, tmp_path / "killed", after)), whole)


@pytest.mark.slow
def test_what_was_seen_before_a_run_was_killed_is_told_after(source: VideoSource, tmp_path: Path) -> None:
    cell, told = tiny_cell(**CHECKPOINTS), list[Progress]()
    with pytest.raises(KilledError):
        trained(cell, source, tmp_path, 3, stop_after=4)
    folder = folder_of(tmp_path, cell, source)
    pretrain(cell, folder, source, on_progress=told.append)
    assert told[0].monitored is not None
    assert told[0].monitored.step == 4
    row = curves_of(folder).iloc[3]
    assert told[0].monitored == Monitored.of_row({str(name): float(value) for name, value in row.items()})


def test_a_collapse_is_said_once_and_kept_and_a_healthy_run_is_not_accused(source: VideoSource, tmp_path: Path) -> None:
    notes: list[str] = []
    told: list[Progress] = []
    for title, framework in (("healthy", "simclr"), ("collapsing", "tests.training.attraction")):
        cell = tiny_cell(**COLLAPSING, **{"objective.contrastive": {"framework": framework}})
        folder = folder_of(tmp_path, cell, source)
        monitor = Monitor(5, partial(seen, cell, source), title)
        with heard(notes.append):
            summary = pretrain(cell, folder, source, monitor=monitor, on_progress=told.append)
        kept = folder.state().progress["collapsed"]
        assert kept == summary.collapsed
        assert bool(kept) == bool(notes) == (title == "collapsing")
    assert kept.startswith("collapsed by step 50: spread of embeddings 0.0")
    assert len(notes) == 1
    assert notes[0].startswith("collapsing: the representation has collapsed by step ")
    assert told[-1].monitored is not None
    assert told[-1].line().endswith(", COLLAPSED")


def test_a_look_that_sees_nothing_leaves_a_gap(source: VideoSource, tmp_path: Path) -> None:
    cell, looks = tiny_cell(**CHECKPOINTS), iter([{}, {"spread": 0.5}, {}])
    folder = folder_of(tmp_path, cell, source)
    pretrain(cell, folder, source, monitor=Monitor(3, lambda backbone: next(looks)))
    spread = curves_of(folder)[PREFIX + "spread"].tolist()
    assert [math.isnan(value) for value in spread] == [True, True, True, False, True, True]
    assert folder.state().progress["collapsed"] == ""


def _on_rank(rank: int, videos: str, storage: str) -> dict[str, list[float]] | None:
    cell = tiny_cell(**CHECKPOINTS, **{"training.workers": 2, "batch_norm_group": 2})
    source = tiny_source(Path(videos))
    trained(cell, source, Path(storage) / "plain", 0)
    told: list[Progress] = []
    monitor = Monitor(3, partial(seen, cell, source), "a cell")
    pretrain(cell, folder_of(Path(storage) / "watched", cell, source), source, monitor=monitor, on_progress=told.append)
    assert told[-1].monitored is not None
    return {name: [value] for name, value in told[-1].monitored.values.items()}


@pytest.mark.slow
def test_two_ranks_with_statistics_of_their_own_do_not_notice_and_see_what_one_sees(
    video_folder: Path, source: VideoSource, tmp_path: Path
) -> None:
    one, other = run_ranks(_on_rank, 2, str(video_folder), str(tmp_path))
    assert one == other
    cell = tiny_cell(**CHECKPOINTS, **{"batch_norm_group": 2})
    expected, found = (final(folder_of(tmp_path / name, cell, source), cell).model for name in ("plain", "watched"))
    assert_equal_states(expected, found)
    watched = folder_of(tmp_path / "watched", cell, source)
    again = seen(cell, source, load_backbone(cell, watched))
    assert {name: one[name][0] for name in again} == again, "with the statistics of both ranks, as they are stored"
    alone = monitored(trained(cell, source, tmp_path / "alone", 3))
    for name, value in one.items():
        assert value[0] == pytest.approx(alone[PREFIX + name].iloc[-1], rel=1e-3)
