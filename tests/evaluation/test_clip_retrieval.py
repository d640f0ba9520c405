"""Retrieval of clips, by what the projector makes of them (SSTL)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.component import find
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, DataError
from raysl.evaluation.evaluate import evaluate, reads_network
from raysl.evaluation.protocol import EvaluationResult
from raysl.evaluation.protocols.retrieval import RetrievalOptions
from raysl.objectives.build import build_objective
from raysl.objectives.objective import Objective
from raysl.testing.features import class_names, toy_features
from raysl.views.evaluation_clips import evaluation_clips
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.evaluation.test_reading import Counting, rows
from tests.evaluation.test_retrieval import ranked_by_loops
from tests.evaluation.tiny import CLIP, CPU, evaluation

CHECK: Any = find("protocol", "retrieval").check


def cell(**change: Any) -> CellConfig:
    return tiny_cell({"backbone": TINY_BACKBONE, **change})


def network(config: CellConfig) -> Objective:
    return build_objective(config, range(16), 4).eval()


def measured(source: VideoSource, config: CellConfig, made: Objective, **options: dict[str, Any]) -> Any:
    """By the names of ``options``, on one network."""
    wanted = {name: evaluation("retrieval", name, **own) for name, own in options.items()}
    return evaluate(
        made.backbone,
        wanted,
        CLIP,
        lambda _: source,
        seed=0,
        device=CPU,
        batch_clips=4,
        cell=config,
        network=lambda: (made, source.catalog.classes),
    )


def embedded(source: VideoSource, made: Objective, split: str, clips: int, crops: int, *, projected: bool) -> Any:
    """``[N, clips, d]`` and ``[N]`` labels: each video by itself."""
    found = []
    with torch.inference_mode():
        for index in rows(source, split):
            maps = made.backbone(evaluation_clips(source, index, CLIP, clips, crops)).mean(dim=(2, 3, 4))
            if projected:
                assert made.projector is not None
                maps = made.projector(maps)
            found.append(maps.view(clips, crops, -1).mean(dim=1).numpy())
    labels = [source.catalog.videos[index].label for index in rows(source, split)]
    return np.stack(found), np.array(labels)


@pytest.mark.parametrize(("crops", "projected"), [(1, True), (3, True), (1, False)])
def test_each_clip_asks_all_clips(tiny: VideoSource, crops: int, projected: bool) -> None:
    config = cell()
    made = network(config)
    options = {"level": "clip", "features": "projection" if projected else "backbone", "crops": crops}
    result: EvaluationResult = measured(tiny, config, made, one=dict(options, clips=3, train_clips=2))["one"]
    queries, wanted = embedded(tiny, made, "test", 3, crops, projected=projected)
    gallery, known = embedded(tiny, made, "train", 2, crops, projected=projected)
    flat, labels = gallery.reshape(-1, gallery.shape[2]), known.repeat(2)
    cosines = [[clip / np.linalg.norm(clip) @ (flat / np.linalg.norm(flat, axis=1, keepdims=True)).T for clip in video]
               for video in queries]  # fmt: skip
    hits = [
        [1 + next(rank for rank, row in enumerate(np.argsort(-clip, kind="stable")) if labels[row] == label)
         for clip in video]
        for video, label in zip(cosines, wanted, strict=True)
    ]  # fmt: skip
    for k in (1, 5, 10, 20):
        assert result.metrics[f"R@{k}"] == pytest.approx(100 * np.mean([[hit <= k for hit in own] for own in hits]))
    assert result.predictions["correct"].tolist() == pytest.approx([np.mean([hit == 1 for hit in own]) for own in hits])
    assert result.predictions["first_hit"].tolist() == [own[1] for own in hits], "of the middle clip"
    assert result.predictions["video"].tolist() == rows(tiny)
    assert (result.details["gallery"], result.details["queries"]) == (28, 27)
    assert (result.details["train_videos"], result.details["test_videos"]) == (14, 9)


def test_videos_by_what_the_projector_makes_of_them(tiny: VideoSource) -> None:
    config = cell()
    made = network(config)
    result = measured(tiny, config, made, one={"features": "projection", "clips": 2})["one"]
    queries, wanted = embedded(tiny, made, "test", 2, 1, projected=True)
    gallery, known = embedded(tiny, made, "train", 2, 1, projected=True)
    train = toy_features(len(gallery), 3, signal=1.0, split="train")
    train = type(train)(train.video, known, train.path, train.group, gallery.mean(axis=1))
    nearest = [ranked_by_loops(query.mean(axis=0), train)[0] for query in queries]
    assert result.metrics["R@1"] == pytest.approx(100 * np.mean(known[nearest] == wanted))


def test_random_weights_are_read_without_a_projector(tiny: VideoSource) -> None:
    made = network(cell())
    both = [{"level": "clip", "features": features, "clips": 2} for features in ("projection", "backbone")]
    found = measured(tiny, cell(pretraining="none"), made, projection=both[0], backbone=both[1])
    assert found["projection"].metrics == found["backbone"].metrics
    other = measured(tiny, cell(), made, projection=both[0])["projection"]
    assert other.predictions["nearest"].tolist() != found["backbone"].predictions["nearest"].tolist()


def test_what_is_read_the_same_is_read_once(tiny: VideoSource) -> None:
    """Means of videos, clips, and clips through the projector are three readings; another k is none."""
    source = Counting(tiny)
    clip = {"level": "clip", "clips": 2}
    measured(
        source,
        cell(),
        network(cell()),
        video={"clips": 2},
        clip=clip,
        again={**clip, "k": (1, 3)},
        projected={**clip, "features": "projection"},
        projected_again={**clip, "features": "projection", "k": (1, 3)},
    )
    assert {source.read[index] for index in rows(tiny)} == {3}


def test_a_network_is_read_by_all_ranks_where_its_projector_is() -> None:
    assert [reads_network(evaluation("retrieval", "r", features=name)) for name in ("backbone", "projection")] == [
        False,
        True,
    ]


NO_PROJECTOR = "retrieval: features: projection needs a cell that trains a projector"


@pytest.mark.parametrize(
    "change",
    [
        {"pretraining": "supervised"},
        {"objective.contrastive": None, "objective.pretext": {"rotation": {}}},
        {"objective.contrastive": {"framework": "byol", "projector": None}},
    ],
    ids=["labels", "a task alone", "no projector"],
)
def test_a_cell_without_a_projector_is_refused(change: dict[str, Any], tiny: VideoSource) -> None:
    config = cell(**change)
    CHECK(RetrievalOptions(), config)
    with pytest.raises(ConfigError, match=NO_PROJECTOR):
        CHECK(RetrievalOptions(features="projection"), config)
    made = build_objective(config, range(16), 4, classes=3).eval()
    with pytest.raises(ConfigError, match="evaluation one: features: projection needs a cell"):
        measured(tiny, config, made, one={"features": "projection"})


def test_who_has_a_projector_is_asked() -> None:
    for change in ({}, {"pretraining": "none"}):
        CHECK(RetrievalOptions(features="projection"), cell(**change))
    shared = {"objective.contrastive": {"projector": "shared"}, "objective.projector": {"output_dim": 8}}
    CHECK(RetrievalOptions(features="projection"), cell(**shared))
    found = network(cell(**shared)).projector
    assert found is not None
    assert found.output_dim == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "projection", "pool": "space"}, "pool: space keeps time steps"),
        ({"level": "clip", "normalize_clips": True}, "normalize_clips: true changes nothing"),
        ({"level": "clips"}, "level"),
        ({"features": "projector"}, "features"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        RetrievalOptions(**options)


def test_a_gallery_is_counted_in_clips() -> None:
    options = RetrievalOptions(level="clip", clips=10, k=(50,))
    assert options.items_of("train", 5) == 50
    train, test = toy_features(4, 2, signal=1.0, split="train"), toy_features(2, 2, signal=1.0, split="test")
    with pytest.raises(
        DataError, match="a gallery of 4 training clips is smaller than the smallest k of retrieval, 50"
    ):
        find("protocol", "retrieval").build(options).on_features(train, test, class_names(2), 0)
