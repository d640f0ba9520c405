"""What is seen of features while a backbone trains: by the definitions that evaluations have, on training videos."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from raysl.data.catalog import Video
from raysl.data.places import Places
from raysl.evaluation.features import extract_features, labelled_videos
from raysl.evaluation.monitor import can_vote, look, monitored_videos
from raysl.evaluation.online_knn import knn_accuracy, spread
from raysl.evaluation.online_knn_options import OnlineKnnOptions
from raysl.evaluation.protocols.geometry import rankme, sphere_spread
from raysl.models.backbone import Backbone
from tests.evaluation.test_online_knn import videos_of
from tests.evaluation.tiny import CLIP, CPU, UNREADABLE, backbone, open_tiny


class Same(Backbone):
    """One feature for whatever it sees."""

    feature_dim = 8

    def __init__(self) -> None:
        super().__init__()
        self.feature = nn.Parameter(torch.arange(8.0))

    def forward(self, clips: Tensor) -> Tensor:
        return self.feature.view(1, 8, 1, 1, 1).expand(len(clips), 8, 1, 1, 1)


def test_numbers_are_those_of_the_evaluations_on_training_videos(tiny_places: Places) -> None:
    source = open_tiny(tiny_places)
    videos = monitored_videos(source, 10)
    assert {video.split for video in videos} == {"train"}
    assert UNREADABLE not in [video.index for video in videos]
    everyone = list(labelled_videos(source, "train"))
    assert list(videos) == list(spread(everyone, 10))
    features = extract_features(backbone(), source, "train", CLIP, 1, device=CPU).values
    values = features[[everyone.index(video) for video in videos]]
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    found = look(backbone(), source, videos, CLIP, device=CPU)
    assert found == {
        "knn_accuracy": knn_accuracy(values, videos, OnlineKnnOptions()) / 100,
        "rankme": pytest.approx(rankme(values.astype(np.float64)), rel=1e-6),
        "spread": pytest.approx(units.std(axis=0).mean() * np.sqrt(units.shape[1]), rel=1e-6),
    }


def test_one_feature_for_all_is_seen_as_a_point(tiny_places: Places) -> None:
    source = open_tiny(tiny_places)
    found = look(Same(), source, monitored_videos(source, 10), CLIP, device=CPU)
    assert found["spread"] == pytest.approx(0, abs=1e-6)
    assert found["rankme"] == pytest.approx(1, abs=1e-3)


def test_a_sphere_has_spread_one() -> None:
    rows = np.random.default_rng(0).normal(size=(4000, 32))
    assert sphere_spread(rows / np.linalg.norm(rows, axis=1, keepdims=True)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("labels", "groups", "votes"),
    [
        ([0, 1, 0], [None, None, None], True),
        ([0, 1, 0], ["a", "b", "a"], True),
        ([0, 0, 0], [None, None, None], False),
        ([0, 1, 0], ["a", "a", "a"], False),
    ],
)
def test_who_can_vote(labels: list[int], groups: list[str | None], votes: bool) -> None:
    assert can_vote(videos_of(labels, groups)) == votes


def test_without_labels_all_are_looked_at_and_none_votes(tiny_places: Places) -> None:
    source = open_tiny(tiny_places)
    videos = [Video(video.index, video.path, None, "train", None) for video in monitored_videos(source, 10)]
    assert not can_vote(videos)
    assert look(backbone(), source, videos, CLIP, device=CPU).keys() == {"rankme", "spread"}
