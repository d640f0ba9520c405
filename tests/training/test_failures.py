"""Deterministic failures are a cell's result: stored with their step, raised by every rank at once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raysl import results
from raysl.data.snapshot import Snapshot
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, NodeFault, StorageError
from raysl.testing.ranks import run_ranks
from raysl.training.pretrain import pretrain
from raysl.training.progress import Progress
from tests.training.material import FAILING, broken_source, corrupt, curves_of, folder_of, tiny_cell, tiny_source


def _fail_on_rank(rank: int, cases: list[tuple[str, str, Snapshot, dict[str, Any]]], *lost: str) -> list[str]:
    """One case after the other: a failure leaves ranks that still go together."""
    outcomes = []
    for videos, storage, snapshot, changes in cases:
        cell = tiny_cell(**changes, **{"training.workers": 2})
        source = tiny_source(Path(videos), cached=False, snapshot=snapshot)
        try:
            pretrain(cell, folder_of(Path(storage), cell, source), source)
            outcomes.append("done")
        except CellFailure as failure:
            outcomes.append(f"{failure.details['step']}: {failure.reason}")
        except NodeFault as fault:
            outcomes.append(f"fault: {fault}")
    return [*outcomes, _lose_the_store_on_rank(rank, *lost)]


def _lose_the_store_on_rank(rank: int, videos: str, storage: str) -> str:
    """A file appears where the checkpoints' folder should be, before the first checkpoint."""
    cell = tiny_cell(**{"training.workers": 2})
    source = tiny_source(Path(videos))
    folder = folder_of(Path(storage), cell, source)

    def block(progress: Progress) -> None:
        if rank == 0:
            (attempt,) = Path(storage).rglob("attempts/*")
            (attempt / "checkpoints").write_text("in the way")

    with pytest.raises(StorageError) as caught:
        pretrain(cell, folder, source, on_progress=block)
    return str(caught.value)


def test_a_loss_that_is_not_finite_fails_the_cell_with_the_step(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"objective.contrastive": {"framework": FAILING, "step": 3}})
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(CellFailure, match="the loss is nan at step 3") as caught:
        pretrain(cell, folder, source)
    assert caught.value.details["step"] == 3
    last = caught.value.details["last_good"]
    assert isinstance(last, dict)
    assert math.isfinite(last["loss"])
    assert last["learning_rate"] > 0
    state = folder.state()
    assert (state.status, state.reason) == ("failed", caught.value.reason)
    assert state.progress["step"] == 3
    assert list(curves_of(folder)["step"]) == [1, 2]


def test_a_gradient_that_is_not_finite_fails_the_cell(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell()
    contrastive = cell.objective.contrastive
    assert contrastive is not None
    heavy = replace(contrastive, options=contrastive.options.model_copy(update={"weight": 1e37}))  # beyond its bound
    cell = cell.model_copy(update={"objective": cell.objective.model_copy(update={"contrastive": heavy})})
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(CellFailure, match=r"the gradient norm is (inf|nan) at step 1"):
        pretrain(cell, folder, source)
    assert folder.state().status == "failed"


def test_a_failed_cell_that_is_retried_can_be_done(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.steps": 2})
    folder = folder_of(tmp_path, cell, source)
    folder.mark_failed("a reason of the past", {})
    pretrain(cell, folder, source)
    assert folder.state().status == "done"


def test_too_many_unreadable_videos_fail_the_cell(tmp_path: Path) -> None:
    source, _ = broken_source(tmp_path, 2)
    cell = tiny_cell(**{"training.max_unreadable": 0.1})
    folder = folder_of(tmp_path / "store", cell, source)
    with pytest.raises(CellFailure, match=r"2 of 16 training videos cannot be read \(12.5%"):
        pretrain(cell, folder, source)
    state = folder.state()
    assert state.status == "failed"
    assert len(state.progress["unreadable"]) == 2


def test_a_few_unreadable_videos_are_counted(tmp_path: Path) -> None:
    source, paths = broken_source(tmp_path, 2)
    cell = tiny_cell(**{"training.max_unreadable": 0.125, "training.steps": 2})
    folder = folder_of(tmp_path / "store", cell, source)
    summary = pretrain(cell, folder, source)
    assert summary.unreadable == 2
    assert sorted(summary.unreadable_paths) == sorted(paths)
    provenance = folder.provenance()
    assert provenance is not None
    assert sorted(provenance["unreadable"]) == sorted(paths)
    assert list(curves_of(folder)["data/unreadable"]) == [2, 2]


def test_videos_that_fail_later_are_replaced_and_counted_once(tmp_path: Path) -> None:
    source = tiny_source(tmp_path, cached=False)
    paths = corrupt(source, 2)
    cell = tiny_cell(**{"training.max_unreadable": 0.2, "training.steps": None, "training.epochs": 2})
    folder = folder_of(tmp_path / "store", cell, source)
    summary = pretrain(cell, folder, source)
    assert sorted(summary.unreadable_paths) == sorted(paths)
    counts = list(curves_of(folder)["data/unreadable"])
    assert counts == sorted(counts)
    assert counts[3] == counts[-1] == 2
    provenance = folder.provenance()
    assert provenance is not None
    assert sorted(provenance["unreadable"]) == sorted(paths)


def test_a_batch_larger_than_the_set_fails_the_cell(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.batch_size": 18})
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(CellFailure, match=r"18 is larger than the set: 16"):
        pretrain(cell, folder, source)
    assert folder.state().status == "failed"


@pytest.mark.slow
def test_every_rank_learns_of_a_failure_on_one(video_folder: Path, source: VideoSource, tmp_path: Path) -> None:
    few, most = (tiny_source(tmp_path / name, cached=False) for name in ("few", "most"))
    corrupt(few, 2)
    corrupt(most, 14)
    nan: dict[str, Any] = {"objective.contrastive": {"framework": FAILING, "step": 2, "on_rank": 1}}
    cases = [
        (str(video_folder), str(tmp_path / "nan"), source.snapshot, nan),
        (str(tmp_path / "few"), str(tmp_path / "later"), few.snapshot, {"training.max_unreadable": 0.1}),
        (str(tmp_path / "most"), str(tmp_path / "none-left"), most.snapshot, {"training.max_unreadable": 1.0}),
    ]
    outcomes = run_ranks(_fail_on_rank, 2, cases, str(video_folder), str(tmp_path / "lost"))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == "2: the loss is nan at step 2"
    assert outcomes[0][1].startswith("fault: 2 of 16 training videos cannot be read")
    assert outcomes[0][2].startswith("fault: no readable video is left")
    assert "checkpoints" in outcomes[0][3]
    states = []
    for _, storage, _, _ in cases:
        (folder,) = results.open(storage).cells()
        states.append(folder.state().status)
    assert states == ["failed", "interrupted", "interrupted"], "what could not be read this time is no result"
