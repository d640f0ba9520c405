"""The vote of nearest training videos, against loops; on real videos, on one rank and on two."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from raysl.data.catalog import Video
from raysl.data.places import Places
from raysl.errors import CellFailure, DataError, NodeFault
from raysl.evaluation.features import extract_features, labelled_videos
from raysl.evaluation.online_knn import knn_accuracy, online_knn, spread
from raysl.evaluation.online_knn_options import OnlineKnnOptions
from raysl.models.backbone import Backbone
from raysl.testing.features import toy_features
from raysl.testing.ranks import run_ranks
from tests.evaluation.tiny import CLIP, CPU, UNREADABLE, backbone, damage, open_tiny

OPTIONS = OnlineKnnOptions(neighbors=3)


def videos_of(labels: list[int], groups: list[str | None]) -> list[Video]:
    rows = enumerate(zip(labels, groups, strict=True))
    return [Video(index, f"{index}.mp4", label, "train", group) for index, (label, group) in rows]


def by_loops(values: NDArray[np.float32], videos: list[Video], options: OnlineKnnOptions) -> float:
    """InstDisc, section 3.4: w = sum over the neighbours of class c of exp(s / temperature); the class of highest w."""
    units = [row / np.linalg.norm(row) for row in values.astype(np.float64)]
    right = 0
    for i, video in enumerate(videos):
        others = [j for j, o in enumerate(videos) if j != i and (video.group is None or o.group != video.group)]
        others.sort(key=lambda j: -float(units[i] @ units[j]))
        votes: dict[int, float] = {}
        for j in others[: options.neighbors]:
            label = videos[j].label
            assert label is not None
            votes[label] = votes.get(label, 0.0) + math.exp(float(units[i] @ units[j]) / options.temperature)
        right += max(votes, key=lambda label: votes[label]) == video.label
    return 100.0 * right / len(videos)


@pytest.mark.parametrize("groups", [0, 2, 7])
@pytest.mark.parametrize("neighbors", [1, 3, 20, 500])
@pytest.mark.parametrize("temperature", [0.07, 5.0])
def test_votes_against_loops(groups: int, neighbors: int, temperature: float) -> None:
    features = toy_features(60, 5, signal=1.5, split="train", groups=groups)
    videos = videos_of(features.label.tolist(), list(features.group))
    options = OnlineKnnOptions(neighbors=neighbors, temperature=temperature)
    found = knn_accuracy(features.values, videos, options)
    assert found == pytest.approx(by_loops(features.values, videos, options))
    assert found < 100


def test_videos_of_the_same_group_have_no_vote() -> None:
    """Each video's nearest is of its own class and group; those of other groups are of the other class."""
    values = np.array([[1, 0.1], [1, 0], [0.9, 0.5], [0.9, 0.45]], dtype=np.float32)
    labels = [0, 0, 1, 1]
    assert knn_accuracy(values, videos_of(labels, ["a", "a", "b", "b"]), OPTIONS) == 0
    assert knn_accuracy(values, videos_of(labels, [None] * 4), OnlineKnnOptions(neighbors=1)) == 100
    assert knn_accuracy(values, videos_of(labels, ["a", None, None, "b"]), OnlineKnnOptions(neighbors=1)) == 100


def test_a_video_is_no_neighbour_of_its_own() -> None:
    values = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    assert knn_accuracy(values, videos_of([0, 1, 0, 1], [None] * 4), OnlineKnnOptions(neighbors=1)) == 0


def test_a_tie_goes_to_the_lower_class() -> None:
    """The one of class 0 sees two of class 1 and is wrong; the others see one of each."""
    values = np.ones((3, 2), dtype=np.float32)
    assert knn_accuracy(values, videos_of([0, 1, 1], [None] * 3), OPTIONS) == 0
    assert knn_accuracy(values, videos_of([0, 0, 1], [None] * 3), OPTIONS) == pytest.approx(200 / 3)


def test_a_low_temperature_asks_the_nearest_alone() -> None:
    features = toy_features(40, 4, signal=0.5, split="train")
    videos = videos_of(features.label.tolist(), [None] * 40)
    cold = knn_accuracy(features.values, videos, OnlineKnnOptions(neighbors=20, temperature=1e-5))
    assert cold == knn_accuracy(features.values, videos, OnlineKnnOptions(neighbors=1))


def test_one_group_is_refused() -> None:
    with pytest.raises(DataError, match="ucf: all labelled training videos are of one group"):
        knn_accuracy(np.eye(3, dtype=np.float32), videos_of([0, 1, 2], ["a"] * 3), OPTIONS, of="ucf")
    with pytest.raises(DataError, match="one group"):
        knn_accuracy(np.eye(1, dtype=np.float32), videos_of([0], [None]), OPTIONS)


@pytest.mark.parametrize(("count", "most"), [(9, 100), (9, 9), (9, 4), (100, 7), (12, 2)])
def test_the_spread_is_even(count: int, most: int) -> None:
    chosen = [video.index for video in spread(videos_of([0] * count, [None] * count), most)]
    assert len(set(chosen)) == min(count, most)
    steps = np.diff([*chosen, count])
    assert chosen[0] == 0
    assert steps.max() - steps.min() <= 1


def test_every_class_keeps_its_share() -> None:
    labels = sorted(list(range(5)) * 20)
    assert np.bincount([video.label or 0 for video in spread(videos_of(labels, [None] * 100), 25)]).tolist() == [5] * 5


def score(places: Places, network: Backbone | None = None, batch_clips: int = 4, **options: int) -> float:
    network = network or backbone()
    given = OnlineKnnOptions(**{"neighbors": 3, **options})
    return online_knn(network, open_tiny(places), CLIP, given, device=CPU, batch_clips=batch_clips)


def test_a_real_backbone_on_real_videos(tiny_places: Places) -> None:
    source = open_tiny(tiny_places)
    videos = list(labelled_videos(source, "train"))
    assert UNREADABLE not in [video.index for video in videos]
    values = extract_features(backbone(), source, "train", CLIP, 1, device=CPU).values
    assert score(tiny_places) == pytest.approx(by_loops(values, videos, OPTIONS))
    assert score(tiny_places, batch_clips=40) == score(tiny_places)
    few = list(spread(videos, 6))
    rows = [videos.index(video) for video in few]
    assert score(tiny_places, max_videos=6) == pytest.approx(by_loops(values[rows], few, OPTIONS))


def test_the_backbone_and_random_numbers_are_left_as_they_were(tiny_places: Places) -> None:
    network = backbone().train()
    next(child for child in network.modules() if isinstance(child, nn.BatchNorm3d)).eval()
    modes = [child.training for child in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state, numpy_state = torch.get_rng_state(), str(np.random.get_state())
    score(tiny_places, network)
    assert [child.training for child in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert str(np.random.get_state()) == numpy_state
    assert all(parameter.grad is None for parameter in network.parameters())


class Diverged(Backbone):
    feature_dim = 2

    def forward(self, clips: Tensor) -> Tensor:
        return torch.full((len(clips), 2, 1, 1, 1), math.nan)


def test_features_that_are_not_finite_are_a_failure(tiny_places: Places) -> None:
    with pytest.raises(CellFailure, match=r"features are not finite .* for 14 of 14 train videos"):
        score(tiny_places, Diverged())


@pytest.mark.slow
def test_a_video_that_cannot_be_read_any_more_is_an_error(own_places: Places) -> None:
    source = open_tiny(own_places)
    lost = labelled_videos(source, "train")[0].path
    damage(source.root / lost)
    with pytest.raises(NodeFault, match=f"{lost} could be read earlier"):
        online_knn(backbone(), source, CLIP, OPTIONS, device=CPU)


def _on_rank(rank: int, places: Places) -> float:
    return score(places, batch_clips=3)


@pytest.mark.slow
def test_two_ranks_score_as_one(tiny_places: Places) -> None:
    assert run_ranks(_on_rank, 2, tiny_places) == [score(tiny_places, batch_clips=3)] * 2
