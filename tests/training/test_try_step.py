"""One real step without a store."""

from __future__ import annotations

import math
from itertools import count

import pytest

from raysl.data.source import VideoSource
from raysl.errors import CellFailure, ConfigError
from raysl.training.batches import StepBatches
from raysl.training.try_step import try_step
from tests.training.material import FAILING, tiny_cell


def test_a_step_says_what_it_took(source: VideoSource) -> None:
    report = try_step(tiny_cell(), source)
    assert report.loss is not None
    assert math.isfinite(report.loss)
    assert report.seconds > 0
    assert 50 < report.peak_memory_mb < 20_000


def test_loading_the_clips_is_told_from_the_step(source: VideoSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos that are decoded for the first time took most of what was said of a step."""
    clock = count(step=0.001)
    late = [0.0]
    monkeypatch.setattr("raysl.training.try_step.time.perf_counter", lambda: next(clock) + late[0])
    load = StepBatches.next

    def slow(batches: StepBatches) -> object:
        late[0] += 100.0
        return load(batches)

    monkeypatch.setattr(StepBatches, "next", slow)
    report = try_step(tiny_cell(), source)
    assert report.loading > 100 > report.seconds
    assert report.steps == tiny_cell().training.steps


def test_random_weights_take_no_step() -> None:
    assert try_step(tiny_cell(pretraining="none"), None).loss is None


def test_what_pretraining_would_refuse_is_refused(source: VideoSource) -> None:
    with pytest.raises(ConfigError, match="accumulate"):
        try_step(tiny_cell(**{"training.accumulate": 2}), source)
    with pytest.raises(ConfigError, match="larger than the set"):
        try_step(tiny_cell(**{"training.batch_size": 18}), source)
    with pytest.raises(CellFailure, match="step 1"):
        try_step(tiny_cell(**{"objective.contrastive": {"framework": FAILING, "step": 1}}), source)
