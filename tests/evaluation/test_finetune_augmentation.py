"""Fine-tuning with the augmentation of a pretext task: training clips at several strides, turned or backwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.config.cell import SamplingOptions
from raysl.config.identity import evaluation_id, resolved
from raysl.config.load import evaluation_from
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.evaluation.downstream import DownstreamOptions, fine_tuned
from raysl.views.loader import PretrainingLoader
from tests.evaluation.test_finetune import finetune, run, tiny_cell
from tests.evaluation.tiny import CLIP, DATA

ROTATION: dict[str, Any] = {"rotation": {"view": "pair", "supervise": False, "jitter": 0.0}}


def options(**given: Any) -> DownstreamOptions:
    found: DownstreamOptions = finetune(**given).protocol.options
    return found


def trained_on(source: VideoSource, **given: Any) -> PretrainingLoader:
    cell = fine_tuned(options(augment="none", **given), tiny_cell(), DATA)
    return PretrainingLoader(cell, source, view_names=("query",), rank=0, world_size=1)


def test_the_options_leave_other_evaluations_ids_alone() -> None:
    assert evaluation_id(finetune(strides=None, pretext={})) == evaluation_id(finetune())
    changed = [finetune(strides=[1, 2]), finetune(strides=[2]), finetune(pretext=ROTATION)]
    assert len({evaluation_id(config) for config in (*changed, finetune())}) == 4
    for config in changed:
        assert evaluation_id(evaluation_from(resolved(config), "again")) == evaluation_id(config)


@pytest.mark.parametrize(
    ("strides", "stride", "rates"),
    [([1, 2, 4, 8], 1, (1, 2, 4, 8)), ([4, 8], 4, (1, 2)), ([2, 3], 1, (2, 3)), ([6], 6, (1,))],
)
def test_strides_are_those_of_training_clips(strides: list[int], stride: int, rates: tuple[int, ...]) -> None:
    chosen = options(strides=strides, clip={"stride": 3})
    made = fine_tuned(chosen, tiny_cell(), DATA)
    assert (made.clip.stride, made.sampling) == (stride, SamplingOptions(playback_rates=rates))
    assert chosen.clip.of(CLIP) == CLIP.model_copy(update={"stride": 3})
    assert fine_tuned(options(clip={"stride": 3}), tiny_cell(), DATA).clip.stride == 3


def test_training_clips_have_them(tiny: VideoSource) -> None:
    loader = trained_on(tiny, strides=[1, 2], batch_size=7)
    seen = torch.cat([batch.views["query"].rate for epoch in range(4) for batch in loader.epoch(epoch)])
    assert set(seen.tolist()) == {1.0, 2.0}


def test_training_clips_are_turned_and_test_clips_are_not(tiny: VideoSource, tmp_path: Path) -> None:
    plain, turned = (trained_on(tiny, pretext=pretext, batch_size=7) for pretext in ({}, ROTATION))
    turns = set()
    for one, other in zip(plain.epoch(0), turned.epoch(0), strict=True):
        for before, after in zip(one.views["query"].clips, other.views["query"].clips, strict=True):
            turns.add(
                [torch.equal(after, torch.rot90(before, quarter, dims=(2, 3))) for quarter in range(4)].index(True)
            )
    assert len(turns) > 2
    # At a rate that changes nothing both test the same network on the same clips.
    frozen: dict[str, Any] = {
        "optimizer": {"name": "sgd", "learning_rate": {"value": 1e-30, "at_batch": 4}},
        "batch_norm": "eval",
    }
    changes: list[dict[str, Any]] = [{}, {"pretext": ROTATION, "strides": [1, 2]}]
    tables = [run(tiny, finetune(**frozen, epochs=1, **given), tmp_path)[0].predictions for given in changes]
    torch.testing.assert_close(*(torch.tensor(table["probability"].to_numpy()) for table in tables))


def test_it_trains(tiny: VideoSource, tmp_path: Path) -> None:
    _, curves = run(tiny, finetune(strides=[1, 2], pretext=ROTATION, epochs=1), tmp_path)
    assert curves["loss/total"].iloc[-1] < 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strides": [2, 1]}, "strides must increase"),
        ({"strides": []}, "strides"),
        ({"strides": [0]}, "strides"),
        ({"pretext": {"rotation": {"view": "pair"}}}, r"pretext\.rotation: fine-tuning learns the labels alone"),
        ({"pretext": {"rotation": {"supervise": False}}}, r"give it view: pair and supervise: false"),
        ({"pretext": {"playback_regression": {}}}, r"pretext\.playback_regression: fine-tuning learns"),
        ({"pretext": {"rotatoin": {}}}, r"unknown pretext task 'rotatoin' \(did you mean 'rotation'"),
    ],
    ids=str,
)
def test_what_is_no_augmentation_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        finetune(**given)
