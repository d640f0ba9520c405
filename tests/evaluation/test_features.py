from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import DataError, NodeFault
from raysl.evaluation.features import extract_features
from raysl.evaluation.protocol import Features
from raysl.models.backbone import pool
from raysl.views.evaluation_clips import evaluation_clips
from tests.evaluation.tiny import CLIP, CPU, UNREADABLE, backbone, damage, open_tiny


def extract(source: VideoSource, split: str, **options: Any) -> Features:
    return extract_features(backbone(), source, split, CLIP, 2, device=CPU, **options)


def test_against_one_video_at_a_time(tiny: VideoSource) -> None:
    features = extract(tiny, "train")
    videos = [video for video in tiny.catalog.split("train") if video.index != UNREADABLE]
    assert features.video.tolist() == [video.index for video in videos]
    assert features.label.tolist() == [video.label for video in videos]
    assert features.path == tuple(video.path for video in videos)
    assert features.values.dtype == np.float32
    network = backbone().eval()
    with torch.no_grad():
        rows = [pool(network(evaluation_clips(tiny, video.index, CLIP, 2))).mean(0).numpy() for video in videos]
    np.testing.assert_allclose(features.values, np.stack(rows), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_clips", [1, 4, 1000])
def test_size_of_the_forward_pass_does_not_matter(tiny: VideoSource, batch_clips: int) -> None:
    features, other = extract(tiny, "test"), extract(tiny, "test", batch_clips=batch_clips)
    assert features.path == other.path
    np.testing.assert_allclose(features.values, other.values, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_near_float32(tiny: VideoSource) -> None:
    full = extract(tiny, "test").values
    half = extract_features(backbone(), tiny, "test", CLIP, 2, device=CPU, precision="bfloat16").values
    assert 0 < np.abs(full - half).max() < 0.1 * np.abs(full).max()


def test_backbone_is_left_as_it_was(tiny: VideoSource) -> None:
    network = backbone().train()
    network.get_submodule("layer").eval()
    modes = [module.training for module in network.modules()]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    extract_features(network, tiny, "test", CLIP, 2, device=CPU)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.is_grad_enabled()


def test_split_without_labels_is_refused(tiny: VideoSource) -> None:
    videos = tuple(replace(video, label=None) for video in tiny.catalog.videos)
    unlabelled = VideoSource(replace(tiny.catalog, videos=videos), tiny.manifest, tiny.root, tiny.cache)
    with pytest.raises(DataError, match="synthetic has no readable labelled video in its split 'test'"):
        extract(unlabelled, "test")


@pytest.mark.slow
def test_video_lost_after_the_manifest_is_an_error(own_places: Places) -> None:
    source = open_tiny(own_places)
    lost = source.catalog.split("test")[5]
    damage(source.root / lost.path)
    with pytest.raises(NodeFault, match=f"{lost.path} could be read earlier"):
        extract(source, "test")
    assert len(extract(source, "train")) == 15
