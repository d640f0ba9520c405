from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from raysl.data.frame_cache import FrameCache
from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import DataError, NodeFault
from raysl.evaluation.clip_loading import loader_workers
from raysl.evaluation.features import extract_features
from raysl.evaluation.protocol import Features
from raysl.models.backbone import Backbone, pool
from raysl.notes import heard
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


class ShortOfMemory(Backbone):
    """Has room for three clips at once."""

    def __init__(self, most: int = 3) -> None:
        super().__init__()
        self.network, self.most, self.seen = backbone(), most, list[int]()

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(clips))
        if len(clips) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        found: torch.Tensor = self.network(clips)
        return found


def test_smaller_groups_follow_where_memory_ran_out(tiny: VideoSource) -> None:
    expected = extract(tiny, "test", batch_clips=8)
    network, notes = ShortOfMemory(), list[str]()
    with heard(notes.append):
        features = extract_features(network, tiny, "test", CLIP, 2, device=CPU, batch_clips=8)
    np.testing.assert_allclose(features.values, expected.values, rtol=1e-4, atol=1e-6)
    assert network.seen[:5] == [8, 4, 2, 2, 2], "8 clips fail, then 4, and the rest go in pairs"
    assert max(network.seen[2:]) == 2, "what did not fit is not tried again"
    assert [note.partition(":")[2] for note in notes] == [
        f" {size} clips do not fit into the memory of cpu at once: {size // 2} are passed through the network together "
        "(a feature's last bits may differ)"
        for size in (8, 4)
    ]


def test_one_clip_without_room_is_an_error(tiny: VideoSource) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        extract_features(ShortOfMemory(most=0), tiny, "test", CLIP, 2, device=CPU)


@pytest.mark.slow
def test_loader_processes_change_no_feature(tiny: VideoSource) -> None:
    expected = extract(tiny, "train", batch_clips=4)
    for asked in (0, 2):
        with loader_workers(asked):
            features = extract(tiny, "train", batch_clips=4)
        assert features.path == expected.path
        np.testing.assert_array_equal(features.values, expected.values)


@pytest.mark.slow
def test_a_video_lost_in_a_loader_process_is_the_same_fault(tiny: VideoSource, tmp_path: Any) -> None:
    damaged = replace(tiny.manifest, rows=tuple(replace(row, fingerprint="gone") for row in tiny.manifest.rows))
    lost = VideoSource(tiny.catalog, damaged, tmp_path, FrameCache(tmp_path / "cache", CLIP.resize, 0))
    with loader_workers(1), pytest.raises(NodeFault, match="could be read earlier, and cannot now"):
        extract(lost, "train", batch_clips=4)
