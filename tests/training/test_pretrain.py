"""Pretraining as a whole: what it learns, what it stores, and that the number of ranks does not matter."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, ConfigError, RayslError
from raysl.objectives.build import build_objective
from raysl.testing.ranks import run_ranks
from raysl.training.check_cell import check_cell
from raysl.training.load_backbone import load_backbone
from raysl.training.pretrain import pretrain
from raysl.training.progress import Progress
from raysl.training.summary import Summary
from raysl.views.batch import Batch
from tests.training.material import (
    assert_equal_states,
    curves_of,
    done_attempt,
    final,
    folder_of,
    logged_steps,
    needs_bfloat16,
    tiny_cell,
    tiny_source,
)

PARITY = {"training.steps": 4, "training.clip_gradient_norm": 100.0}


def _in_float64(patch: pytest.MonkeyPatch) -> None:
    """Float32 rounding grows a thousandfold a step through batch norms over eight clips; float64 shows what differs."""
    torch.set_default_dtype(torch.float64)

    def to(batch: Batch, device: torch.device) -> Batch:
        return replace(batch, views={n: replace(v, clips=v.clips.double()) for n, v in batch.views.items()})

    patch.setattr(Batch, "to", to)


def _train_on_rank(rank: int, videos: str, storage: str) -> Summary:
    _in_float64(pytest.MonkeyPatch())
    cell = tiny_cell(**PARITY, **{"training.workers": 2})
    source = tiny_source(Path(videos))
    return pretrain(cell, folder_of(Path(storage), cell, source), source)


def test_a_cell_trains_and_is_stored_whole(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.steps": None, "training.epochs": 2})
    folder = folder_of(tmp_path, cell, source)
    reports: list[Progress] = []
    summary = pretrain(cell, folder, source, on_progress=reports.append)
    assert summary.steps == 8
    assert summary.final_loss is not None
    assert math.isfinite(summary.final_loss)
    assert summary.clips_per_second > 0
    assert summary.precision == "float32"
    assert folder.state().status == "done"
    assert folder.state().progress["steps"] == 8
    assert [(report.epoch, report.step) for report in reports] == [(1, 4), (2, 8)]
    assert reports[-1].seconds_left == 0
    curves = curves_of(folder)
    assert list(curves["step"]) == list(range(1, 9))
    assert list(curves["epoch"]) == [1] * 4 + [2] * 4
    assert curves["loss/total"].iloc[-1] == summary.final_loss
    for column in (
        "loss/contrastive",
        "optimizer/learning_rate",
        "optimizer/gradient_norm",
        "optimizer/weight_penalty",
    ):
        assert (curves[column] > 0).all(), column
    assert (curves["time/data_seconds"] > 0).all()
    assert curves["metric/contrastive_accuracy"].between(0, 100).all()
    assert curves["metric/contrastive_entropy"].gt(0).all()
    assert (curves["data/unreadable"] == 0).all()
    attempt = done_attempt(tmp_path)
    assert [step for step, _ in logged_steps(attempt)] == list(range(1, 9))
    assert logged_steps(attempt, "optimizer/gradient_norm")
    provenance = folder.provenance()
    assert provenance is not None
    counts = source.snapshot.counts()
    assert provenance["data"] == {
        "name": "synthetic",
        "snapshot": source.snapshot.hashes.snapshot,
        "videos": counts,
    }
    assert provenance["precision"] == "float32"
    kept = provenance["attempts"][0]
    assert (kept["threads"], kept["loader_workers"]) == (1, 0)
    assert kept["loader_choice"]["processes"] == 0, "a run of a second starts no processes"
    assert kept["loader_choice"]["load_seconds"] > 0
    assert "of the 3 that are left" in kept["loader_choice"]["why"] or "no faster" in kept["loader_choice"]["why"]


@pytest.mark.parametrize("pretraining", ["self_supervised", "none"])
def test_how_the_code_differed_from_its_commit_is_kept(
    pretraining: str, source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was when the cell began: the code that computes was imported by then."""
    cell = tiny_cell(pretraining=pretraining, **{"training.steps": 1})
    folder = folder_of(tmp_path, cell, source)
    diffs = iter([b"-return 1\n+return 2\n", b"a later edit"])
    monkeypatch.setattr("raysl.training.pretrain.code_changes", lambda: next(diffs))
    pretrain(cell, folder, None if pretraining == "none" else source)
    name = ((folder.provenance() or {})["git"])["changes"]
    assert folder.place.read(f"changes/{name}.diff") == b"-return 1\n+return 2\n"
    assert list(folder.place.sizes("changes")) == [f"changes/{name}.diff"]


@pytest.mark.slow
def test_the_loss_falls(source: VideoSource, tmp_path: Path) -> None:
    """With a backbone of the field: the small one of other tests tells sixteen videos apart from its first steps on."""
    length = {"training.steps": 30, "training.log_steps": 5, "training.batch_size": 8}
    cell = tiny_cell(**{**length, "backbone": {"name": "r3d_18", "width": 0.0625}})
    folder = folder_of(tmp_path, cell, source)
    pretrain(cell, folder, source)
    losses = curves_of(folder)["loss/total"]
    assert len(losses) == 6
    assert losses.tail(2).mean() < losses.head(2).mean() - 0.1


@pytest.mark.slow
def test_two_ranks_train_as_one(
    video_folder: Path, source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = tiny_cell(**PARITY)
    alone, both = (folder_of(tmp_path / name, cell, source) for name in ("one", "two"))
    assert both.name == alone.name
    two = run_ranks(_train_on_rank, 2, str(video_folder), str(tmp_path / "two"))
    assert two[0] == two[1]
    try:
        _in_float64(monkeypatch)
        one = pretrain(cell, alone, source)
    finally:
        torch.set_default_dtype(torch.float32)
    assert two[0].final_loss == pytest.approx(one.final_loss, rel=1e-9)
    expected, found = final(alone, cell).model, final(both, cell).model
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-7, atol=1e-9, msg=f"{name} differs")
    columns = [c for c in curves_of(alone) if not str(c).startswith("time/")]
    left, right = (torch.tensor(curves_of(folder)[columns].to_numpy(dtype=float)) for folder in (alone, both))
    torch.testing.assert_close(right, left, rtol=1e-7, atol=1e-9)


def test_random_weights_are_those_that_pretraining_starts_from(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(pretraining="none")
    folder = folder_of(tmp_path, cell, None)
    summary = pretrain(cell, folder, None)
    assert summary.steps == 0
    assert folder.state().status == "done"
    stored = load_backbone(cell, folder)
    assert not stored.training
    assert_equal_states(stored.state_dict(), build_objective(tiny_cell(), range(16), 4).backbone.state_dict())


def test_the_backbone_that_is_loaded_is_the_one_that_was_trained(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.steps": 2})
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(RayslError, match=folder.name):
        load_backbone(cell, folder)
    pretrain(cell, folder, source)
    trained = {
        k.removeprefix("backbone."): v for k, v in final(folder, cell).model.items() if k.startswith("backbone.")
    }
    assert_equal_states(load_backbone(cell, folder).state_dict(), trained)
    initial = build_objective(cell, range(16), 4).backbone.state_dict()
    assert not torch.equal(initial["stem.0.weight"], trained["stem.0.weight"])


@needs_bfloat16
def test_bfloat16_trains_with_weights_in_float32(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.steps": 1, "training.precision": "bfloat16"})
    folder = folder_of(tmp_path, cell, source)
    summary = pretrain(cell, folder, source)
    assert summary.precision == "bfloat16"
    model = final(folder, cell).model
    assert {value.dtype for value in model.values() if value.is_floating_point()} == {torch.float32}
    in_float32 = tiny_cell(**{"training.steps": 1})
    reference = pretrain(in_float32, folder_of(tmp_path, in_float32, source), source)
    assert summary.final_loss == pytest.approx(reference.final_loss, rel=0.05)
    assert summary.final_loss != reference.final_loss


def test_accumulation_is_refused_where_the_loss_compares_across_the_batch(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.accumulate": 2})
    with pytest.raises(ConfigError, match=r"accumulate 2.*fewer negatives"):
        check_cell(cell)
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(CellFailure, match=r"accumulate 2.*fewer negatives"):
        pretrain(cell, folder, source)
    assert folder.state().status == "failed"


def test_the_rate_follows_schedule_and_batch(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.steps": 4, "training.batch_size": 8})
    folder = folder_of(tmp_path, cell, source)
    pretrain(cell, folder, source)
    rates = list(curves_of(folder)["optimizer/learning_rate"])
    factor = cell.schedule.build(4, 2)
    assert rates == pytest.approx([0.002 * factor(step) for step in range(4)])
    assert rates[0] > rates[-1]


def test_gradients_are_clipped_and_logged_before(source: VideoSource, tmp_path: Path) -> None:
    free = tiny_cell(**{"training.steps": 3, "optimizer.name": "sgd"})
    held = tiny_cell(**{"training.steps": 3, "optimizer.name": "sgd", "training.clip_gradient_norm": 1e-6})
    initial = build_objective(held, range(16), 4).state_dict()

    def first_norm_and_largest_move(cell: CellConfig) -> tuple[float, float]:
        folder = folder_of(tmp_path, cell, source)
        pretrain(cell, folder, source)
        model = final(folder, cell).model
        moves = [float((model[key] - initial[key]).abs().max()) for key in initial if key.endswith("0.weight")]
        return curves_of(folder)["optimizer/gradient_norm"].iloc[0], max(moves)

    (free_norm, free_move), (held_norm, held_move) = map(first_norm_and_largest_move, (free, held))
    assert held_norm == pytest.approx(free_norm)
    assert held_move < 1e-5 < free_move
