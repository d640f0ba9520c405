"""The loader on real MP4s: the same batches whatever ranks, processes and views; failures replaced and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.data.frame_cache import FrameCache
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, NodeFault
from raysl.streams import stream
from raysl.views.batch import Batch, View
from raysl.views.loader import PretrainingLoader
from raysl.views.pipeline import ViewPipeline
from tests.views.sets import copy_without, small_cell

PAIR = ("query", "key")


def loader(
    source: VideoSource, *, views: tuple[str, ...] = PAIR, rank: int = 0, world_size: int = 1, **cell: Any
) -> PretrainingLoader:
    return PretrainingLoader(small_cell(**cell), source, view_names=views, rank=rank, world_size=world_size)


def fields(view: View) -> tuple[torch.Tensor, ...]:
    return view.clips, view.video, view.center, view.box, view.rate


def assert_same(one: Batch, other: Batch, names: tuple[str, ...] = PAIR) -> None:
    for name in names:
        for left, right in zip(fields(one.views[name]), fields(other.views[name]), strict=True):
            assert left.dtype == right.dtype
            assert torch.equal(left, right)


def test_a_batch_has_the_declared_shapes_and_types(source: VideoSource) -> None:
    made = loader(source)
    assert (made.steps_per_epoch, made.order.dropped, len(made.videos), made.too_short) == (3, 2, 14, 0)
    batches = list(made.epoch(0))
    assert len(batches) == 3
    for batch in batches:
        assert (set(batch.views), batch.unreadable, batch.size) == (set(PAIR), (), 4)
        for view in batch.views.values():
            assert view.clips.shape == (4, 3, 4, 24, 24)
            assert [field.dtype for field in fields(view)] == [torch.float32, torch.int64] + 3 * [torch.float32]
            assert len(set(view.video.tolist())) == 4
        assert torch.equal(batch.views["query"].video, batch.views["key"].video)


def test_subtracted_frames_keep_the_clip_length(source: VideoSource) -> None:
    batch = next(iter(loader(source, clip={"input": "difference"}).epoch(0)))
    assert batch.views["key"].clips.shape == (4, 3, 4, 24, 24)


def test_center_box_and_rate_say_where_the_clip_came_from(source: VideoSource) -> None:
    cell = small_cell(augment={"jitter": 0.0, "grey": 0.0, "flip": 0.0, "min_area": 0.25, "max_area": 0.5})
    made = PretrainingLoader(cell, source, view_names=PAIR, rank=0, world_size=1)
    view = next(iter(made.epoch(1))).views["key"]
    assert cell.sampling.pair is not None
    pair = cell.sampling.pair.build(cell.clip)
    for row, video in enumerate(view.video.tolist()):
        placement = pair.place(20, stream(3, 1, video, "pair", "placement"))["key"]
        assert view.center[row].item() == pytest.approx((placement.start + 3) / 20)
        assert view.rate[row] == 2
        top, left, height, width = (view.box[row] * torch.tensor([32, 48, 32, 48])).tolist()
        assert (top, left) == pytest.approx((round(top), round(left)), abs=1e-4)
        assert 0.2 < height * width / (32 * 48) < 0.55


def test_the_ranks_slices_are_the_whole_batch(source: VideoSource) -> None:
    whole = list(loader(source).epoch(2))
    parts = [list(loader(source, rank=rank, world_size=2).epoch(2)) for rank in range(2)]
    for batch, low, high in zip(whole, *parts, strict=True):
        for name in PAIR:
            joined = zip(fields(low.views[name]), fields(high.views[name]), strict=True)
            for expected, halves in zip(fields(batch.views[name]), joined, strict=True):
                assert torch.equal(expected, torch.cat(halves))


def test_loader_processes_change_nothing_and_move_no_global_stream(source: VideoSource) -> None:
    made = loader(source, loader_workers=2)
    before = torch.get_rng_state()
    for epoch in range(2):
        for one, other in zip(loader(source).epoch(epoch), made.epoch(epoch), strict=True):
            assert_same(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_can_be_entered_at_any_step_and_left_early(source: VideoSource, workers: int) -> None:
    expected = list(loader(source).epoch(4))
    made = loader(source, loader_workers=workers)
    for _ in made.epoch(0):
        break
    resumed = list(made.epoch(4, first_step=1))
    assert len(resumed) == 2
    for one, other in zip(expected[1:], resumed, strict=True):
        assert_same(one, other)
    assert list(made.epoch(4, first_step=3)) == []


def test_batches_of_two_epochs_in_one_pass_are_those_of_each(source: VideoSource) -> None:
    places = [(epoch, step) for epoch in (3, 4) for step in range(3)]
    made = loader(source, loader_workers=2)
    expected = [batch for epoch in (3, 4) for batch in loader(source).epoch(epoch)]
    for _ in range(2):
        for one, other in zip(made.batches(iter(places)), expected, strict=True):
            assert_same(one, other)


def test_another_view_moves_no_draw(source: VideoSource) -> None:
    for one, other in zip(loader(source).epoch(0), loader(source, views=("key",)).epoch(0), strict=True):
        assert set(other.views) == {"key"}
        assert_same(one, other, names=("key",))


def test_views_epochs_and_seeds_draw_differently(source: VideoSource) -> None:
    pipeline, other = (ViewPipeline(small_cell(seed=seed), source, PAIR) for seed in (3, 4))
    places = [(pipeline, 5, 0, "query"), (pipeline, 5, 0, "key"), (pipeline, 5, 1, "query")]
    places += [(pipeline, 6, 0, "query"), (other, 5, 0, "query")]
    clips = []
    for made, video, epoch, name in places:
        out = made.empty(1)
        origins = made(video, epoch, {view: rows[0] for view, rows in out.items()}).origins
        assert origins[name].video == video
        clips.append(out[name])
    assert all(not torch.equal(clips[i], clips[j]) for i in range(5) for j in range(i))


def shortened(source: VideoSource, folder: Path, *, but: int) -> VideoSource:
    """The set with every video cut to its first 10 frames but one."""
    rows = tuple(
        row if index == but else replace(row, frames=10, header_frames=10)
        for index, row in enumerate(source.manifest.rows)
    )
    manifest = replace(source.manifest, rows=rows)
    return VideoSource(source.catalog, manifest, source.root, FrameCache(folder / "cache", 32, 0))


def test_videos_shorter_than_the_span_wrap_and_are_counted(source: VideoSource, tmp_path: Path) -> None:
    made = loader(shortened(source, tmp_path, but=6), clip={"frames": 8})
    assert made.too_short == 13
    assert next(iter(made.epoch(0))).views["query"].clips.shape == (4, 3, 8, 24, 24)


def test_a_clip_longer_than_every_video_is_refused(source: VideoSource) -> None:
    expected = r"clip\.frames 16 at clip\.stride 2 spans 31 frames .* longest of the 14 readable videos has 20; lower"
    with pytest.raises(ConfigError, match=expected):
        loader(source, clip={"frames": 16})
    assert loader(source, clip={"frames": 10}).too_short == 0


def test_failures_in_one_global_batch_get_different_videos(source: VideoSource, tmp_path: Path) -> None:
    # Slots 1 and 2 lie on different ranks; both lose their video.
    whole = next(iter(loader(source).epoch(0)))
    planned = whole.views["query"].video.tolist()
    gone = [planned[1], planned[2]]
    broken = copy_without(source, tmp_path, gone)
    parts = [next(iter(loader(broken, rank=rank, world_size=2).epoch(0))) for rank in range(2)]
    used = torch.cat([part.views["query"].video for part in parts]).tolist()
    assert [part.size for part in parts] == [2, 2]
    assert [part.unreadable for part in parts] == [(source.catalog.videos[video].path,) for video in gone]
    assert (used[0], used[3]) == (planned[0], planned[3])
    assert len(set(used)) == 4
    assert not {used[1], used[2]} & set(planned)
    alone = next(iter(loader(broken, loader_workers=1).epoch(0)))
    assert alone.views["query"].video.tolist() == used
    assert set(alone.unreadable) == {source.catalog.videos[video].path for video in gone}
    assert torch.equal(alone.views["key"].clips, torch.cat([part.views["key"].clips for part in parts]))


@pytest.mark.parametrize("workers", [0, 1])
def test_no_readable_video_left_is_a_fault_that_may_pass(source: VideoSource, tmp_path: Path, workers: int) -> None:
    broken = copy_without(source, tmp_path, list(range(14)))
    with pytest.raises(NodeFault, match=r"no readable video is left .*\.mp4 at epoch 1, step 2") as caught:
        list(loader(broken, loader_workers=workers).epoch(1, first_step=2))
    assert caught.value.may_pass
    assert str(tmp_path) not in str(caught.value), "it is stored"


def test_a_batch_that_does_not_divide_or_is_too_large_is_refused(source: VideoSource) -> None:
    with pytest.raises(ConfigError, match="batch_size 4 does not divide by 3"):
        loader(source, world_size=3)
    with pytest.raises(ConfigError, match="batch_size 16 is larger than the set: 14"):
        loader(source, batch_size=16)


def test_an_unknown_view_is_refused(source: VideoSource) -> None:
    with pytest.raises(ConfigError, match="'global'"):
        loader(source, views=("query", "global"))
