"""Curves: the table and the TensorBoard file hold each logged step once."""

from __future__ import annotations

import shutil
from pathlib import Path

from raysl.training.curves import Curves, curve_row
from raysl.training.learner import StepValues
from tests.training.material import logged_steps


def _row(step: int) -> dict[str, float]:
    values = StepValues(2.0 / step, {"contrastive": 1.0 / step}, {"embedding_std": 0.5}, 0.1, 3.0)
    return curve_row(
        step, 1, values, data_seconds=0.25, compute_seconds=0.75, clips=8, unreadable=1, weight_penalty=0.02
    )


def test_a_row_names_everything_by_its_tag() -> None:
    assert _row(2) == {
        "step": 2,
        "epoch": 1,
        "loss/total": 1.0,
        "loss/contrastive": 0.5,
        "optimizer/learning_rate": 0.1,
        "optimizer/gradient_norm": 3.0,
        "optimizer/weight_penalty": 0.02,
        "metric/embedding_std": 0.5,
        "time/data_seconds": 0.25,
        "time/compute_seconds": 0.75,
        "time/clips_per_second": 8.0,
        "data/unreadable": 1,
    }


def test_events_are_whole_after_every_flush_and_after_a_restart(tmp_path: Path) -> None:
    with Curves() as curves:
        curves.add(_row(1))
        curves.event_folder()
        curves.add(_row(2))
        shutil.copytree(curves.event_folder(), tmp_path / "first" / "tensorboard")
        kept = curves.columns()
        curves.add(_row(3))
    assert logged_steps(tmp_path / "first") == [(1, 2.0), (2, 1.0)]
    with Curves(kept) as resumed:
        resumed.add(_row(4))
        shutil.copytree(resumed.event_folder(), tmp_path / "second" / "tensorboard")
        assert list(resumed.frame()["step"]) == [1, 2, 4]
        assert resumed.last()["loss/total"] == 0.5
    assert logged_steps(tmp_path / "second") == [(1, 2.0), (2, 1.0), (4, 0.5)]
    assert logged_steps(tmp_path / "second", "time/clips_per_second")[0] == (1, 8.0)
