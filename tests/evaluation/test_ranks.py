"""Evaluation on two ranks gives what one gives. Starting processes is what costs, so one pair answers all the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch.distributed as dist

from raysl.data.places import Places
from raysl.distributed import gather_objects, is_distributed, on_every_rank, on_first_rank
from raysl.errors import CellFailure, NodeFault, RayslError
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.features import extract_features
from raysl.evaluation.protocol import Features
from raysl.objectives.build import build_objective
from raysl.testing.ranks import run_ranks
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.evaluation.tiny import CLIP, CPU, backbone, damage, evaluation, open_tiny

pytestmark = pytest.mark.slow
EVALUATIONS = [
    evaluation("linear", "linear", clips=2),
    evaluation("retrieval", "retrieval", clips=2),
    evaluation("geometry", "geometry", clips=2),
    evaluation("similarity", "similarity", clips=2, buffers=(0.0, 0.5)),
    evaluation("attention", "attention", clips=2),
    evaluation("class_activation", "class_activation", clips=2),
    evaluation("retrieval", "clips", clips=2, level="clip", features="projection"),
]
CELL = tiny_cell({"backbone": TINY_BACKBONE})


def extract(places: Places, split: str, batch_clips: int) -> Features:
    return extract_features(backbone(), open_tiny(places), split, CLIP, 2, device=CPU, batch_clips=batch_clips)


def features_and_results(places: Places) -> dict[str, Any]:
    stored: list[str] = []
    return {
        # Two clips a video: blocks of two videos and of one, so nine test videos are five blocks and nine.
        "features": [extract(places, split, size) for split in ("train", "test") for size in (4, 2)],
        "results": evaluate(
            backbone(),
            {config.label: config for config in EVALUATIONS},
            CLIP,
            lambda _: open_tiny(places),
            seed=0,
            device=CPU,
            batch_clips=4,
            cell=CELL,
            network=lambda: (build_objective(CELL, range(16), 4).eval(), ()),
            on_result=lambda name, *_: stored.append(name),
        ),
        "stored": stored,
    }


def lost_video(rank: int, places: Places) -> str:
    """A test video that rank 0 reads is damaged after the manifest was made; what this rank is told."""
    source = open_tiny(places)
    dist.barrier()
    if rank == 0:
        damage(source.root / source.catalog.split("test")[-1].path)
    dist.barrier()
    try:
        extract_features(backbone(), source, "test", CLIP, 2, device=CPU, batch_clips=2)
    except NodeFault as error:
        return str(error)
    return "no error"


def fail_oddly() -> int:
    raise ZeroDivisionError("odd")


def fail_on_rank_1(rank: int) -> int:
    if rank == 1:
        raise CellFailure("not finite", {"videos": 3})
    return rank


def failures(rank: int) -> list[object]:
    """What this rank sees of failures; every collective after one still works."""
    seen: list[object] = [on_every_rank(lambda: rank * 10), on_first_rank(lambda: rank + 5)]
    for run in (
        lambda: on_every_rank(lambda: fail_on_rank_1(rank)),
        lambda: on_first_rank(lambda: fail_on_rank_1(rank + 1)),
        lambda: on_first_rank(fail_oddly),
    ):
        try:
            run()
        except RayslError as error:
            seen.append((type(error).__name__, str(error), getattr(error, "details", None)))
    return [*seen, gather_objects(rank)]


def everything(rank: int, places: Places, own_places: Places) -> dict[str, Any]:
    assert is_distributed()
    return {
        **features_and_results(places),
        "failures": failures(rank),
        "lost": lost_video(rank, own_places),
    }


@pytest.fixture(scope="module")
def two_ranks(tiny_places: Places, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    own_places = Places({}, Path(tmp_path_factory.mktemp("own")), cache_gigabytes=0)
    open_tiny(own_places)
    return run_ranks(everything, 2, tiny_places, own_places)


def test_features_are_those_of_one_rank(tiny_places: Places, two_ranks: list[dict[str, Any]]) -> None:
    alone = features_and_results(tiny_places)["features"]
    assert [len(features) for features in alone] == [14, 14, 9, 9]
    for ranks in two_ranks:
        for one, other in zip(alone, ranks["features"], strict=True):
            assert (one.path, one.group) == (other.path, other.group)
            for name in ("video", "label", "values"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert len(set(other.video.tolist())) == len(other)


def test_results_are_those_of_one_rank(tiny_places: Places, two_ranks: list[dict[str, Any]]) -> None:
    alone = features_and_results(tiny_places)["results"]
    assert [ranks["stored"] for ranks in two_ranks] == [
        ["linear", "retrieval", "geometry", "similarity", "attention", "class_activation", "clips"],
        [],
    ]
    for ranks in two_ranks:
        for label, result in alone.items():
            assert ranks["results"][label].metrics == result.metrics
            pd.testing.assert_frame_equal(ranks["results"][label].predictions, result.predictions)


def test_lost_video_is_an_error_on_both(two_ranks: list[dict[str, Any]], tiny_places: Places) -> None:
    lost = open_tiny(tiny_places).catalog.split("test")[-1].path
    assert all(f"{lost} could be read earlier" in ranks["lost"] for ranks in two_ranks)


def test_failures_reach_every_rank(two_ranks: list[dict[str, Any]]) -> None:
    failure = ("CellFailure", "not finite", {"videos": 3})
    odd = ("NodeFault", "rank 0 failed: ZeroDivisionError: odd", None)
    first, second = (ranks["failures"] for ranks in two_ranks)
    assert first == [0, 5, failure, failure, odd, [0, 1]]
    assert second == [10, 5, failure, failure, odd, [0, 1]]
