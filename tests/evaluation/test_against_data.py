"""What data cannot fill is said before anything is trained, and an evaluation of a few videos tries the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.component import find, names
from raysl.data.catalog import Video
from raysl.data.manifest_types import Manifest
from raysl.data.snapshot import Snapshot
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.evaluation.against_data import check_against_data
from raysl.evaluation.try_evaluation import few_videos, try_evaluation
from raysl.objectives.build import build_objective
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.evaluation.test_protocols import SMALL
from tests.evaluation.tiny import CLIP, CPU, chosen, evaluation
from tests.search_spaces.image_weights import FLOW, save_flow_weights

CELL: dict[str, Any] = {"clip": CLIP.model_dump(), "training.batch_size": 4}
LABELLED = {"pretraining": "supervised"}


def cell(**change: Any) -> CellConfig:
    return tiny_cell({**CELL, **change})


def with_videos(data: Snapshot, *, frames: int | None = None, **change: Any) -> Snapshot:
    """The same files, with another label, split or group, or other lengths."""
    rows = tuple(row if frames is None else replace(row, frames=frames) for row in data.manifest.rows)
    videos: tuple[Video, ...] = tuple(replace(video, **change) for video in data.catalog.videos)
    return Snapshot(replace(data.catalog, videos=videos), Manifest(data.manifest.catalog, rows))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in names("protocol") if not find("protocol", name).boxes])
def test_what_fits_is_tried_on_a_few_videos(name: str, tiny: VideoSource, tmp_path: Path) -> None:
    options: dict[str, dict[str, Any]] = {
        "finetune": {"batch_size": 9, "epochs": 70},
        "linear_trained": {"batch_size": 9},
        "transfer": {"batch_size": 9, "task": {"reverse": chosen("pretext task", "reverse")}},
        "retrieval": {"k": (14,)},
        "timesteps": {"steps": 2},
        "motion_difference": {
            **SMALL["motion_difference"],
            "task": {"reverse": chosen("pretext task", "reverse")},
        },
    }
    config = evaluation(name, f"{name}/synthetic", **options.get(name, {}))
    trained: dict[str, dict[str, Any]] = {
        "classifier": LABELLED,
        "task_accuracy": {"objective.pretext": {"reverse": {}}},
        "timesteps": {"clip.frames": 16, "clip.stride": 1},
    }
    made = cell(**trained.get(name, {}), backbone=TINY_BACKBONE)
    behind = Cell(made).behind(config)
    if behind is not None:
        made, (config,) = behind.config, behind.evaluations
        check_against_data(made, None, tiny.snapshot)
    check_against_data(made, config, tiny.snapshot)
    network = build_objective(made, range(14), 1, classes=3)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    files = {FLOW: save_flow_weights(tmp_path)} if name == "motion_difference" else {}
    assert try_evaluation(made, config, network.backbone, tiny, network, device=CPU, files=files) > 0
    assert all(value.equal(before[key]) for key, value in network.state_dict().items())


def test_few_videos_are_readable_and_of_every_class_on_both_sides(tiny: VideoSource) -> None:
    few = few_videos(tiny)
    assert [video.index for video in few.catalog.videos] == list(range(len(few.catalog.videos)))
    for split, count in (("train", 4), ("test", 2)):
        labels = [video.label for video in few.readable(split) if video.label is not None]
        assert sorted(labels) == sorted([0, 1, 2] * count)
    assert [row.path for row in few.manifest.rows] == [video.path for video in few.catalog.videos]


def test_training_videos_of_one_group_leave_nothing_to_choose_c_by(tiny: VideoSource) -> None:
    data = tiny.snapshot
    videos = tuple(replace(video, group=video.split) for video in data.catalog.videos)
    grouped = Snapshot(replace(data.catalog, videos=videos), data.manifest)
    with pytest.raises(ConfigError, match=r"c cannot be chosen by cross-validation"):
        check_against_data(cell(), evaluation("linear", "linear/synthetic"), grouped)


def test_few_videos_come_from_as_many_groups_as_there_are(tiny: VideoSource) -> None:
    """Otherwise a choice by cross-validation, which keeps groups whole, would fail on them alone."""
    videos = tuple(replace(video, group=str(video.index // 3 % 3)) for video in tiny.catalog.videos)
    grouped = VideoSource(replace(tiny.catalog, videos=videos), tiny.manifest, tiny.root, tiny.cache)
    train = few_videos(grouped).catalog.split("train")
    assert {video.group for video in train if video.label == 1} == {"0", "1", "2"}


REFUSED: dict[str, tuple[tuple[str, dict[str, Any]], dict[str, Any], dict[str, Any], str]] = {
    "a gallery smaller than every list": (("retrieval", {"k": (15, 20)}), {}, {}, r"gallery of 14 .*smallest k"),
    "a group on both sides": (("linear", {}), {"group": "one"}, {}, r"1 groups are in both .*whole groups"),
    "videos without labels": (("linear", {}), {"label": None}, {}, r"no readable labelled video in the train split"),
    "videos of one class": (("retrieval", {"k": (1,)}), {"label": 1}, {}, r"are of one class"),
    "no test videos": (("linear", {}), {"split": "train"}, {}, r"no readable labelled video in the test split"),
    "videos as long as a clip": (("similarity", {}), {}, {"frames": CLIP.span}, r"0 of 9 test videos are longer than"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_evaluation_that_its_data_cannot_fill_is_refused(case: str, tiny: VideoSource) -> None:
    (name, options), change, lengths, message = REFUSED[case]
    config = evaluation(name, f"{name}/synthetic", **options)
    with pytest.raises(ConfigError, match=rf"evaluation {name}/synthetic, data set synthetic: .*{message}"):
        check_against_data(cell(), config, with_videos(tiny.snapshot, **change, **lengths))


def test_pretraining_that_its_data_cannot_fill_is_refused(tiny: VideoSource) -> None:
    check_against_data(cell(), None, tiny.snapshot)
    with pytest.raises(ConfigError, match=r"training\.batch_size 15 is larger than the set: 14 readable .* 14 or less"):
        check_against_data(cell(**{"training.batch_size": 15}), None, tiny.snapshot)
    with pytest.raises(ConfigError, match=r"pretraining: supervised: .*have no classes"):
        check_against_data(cell(**LABELLED), None, with_videos(tiny.snapshot, label=None))
    with pytest.raises(ConfigError, match=r"pretraining: supervised: .*have 1 classes"):
        check_against_data(cell(**LABELLED), None, with_videos(tiny.snapshot, label=1))
    check_against_data(cell(pretraining="none"), None, with_videos(tiny.snapshot, label=None))
