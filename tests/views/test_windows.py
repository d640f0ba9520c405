"""TCLR's window: which frames its clips hold, which videos it leaves out, and what it does not move."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from raysl.config.component import names
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.objectives.build import build_objective
from raysl.reports import build_table
from raysl.reports.input import RowInput
from raysl.streams import stream
from raysl.testing import WindowSamplerContract
from raysl.training.pretrain import pretrain
from raysl.views.pipeline import ViewPipeline
from raysl.views.placement import Placement
from raysl.views.training_videos import training_videos
from raysl.views.windows.global_local import GlobalLocal, GlobalLocalOptions
from tests.reports.examples import example
from tests.training.material import folder_of
from tests.views.numbered import NumberedSource, batches, numbered_cell, numbers, steps
from tests.views.sets import clip_options, small_cell

PAIR = ("query", "key")
CLIP = clip_options(frames=16, stride=4)


def windows(clip: str = "rgb", **options: Any) -> GlobalLocal:
    return GlobalLocal(GlobalLocalOptions(**options), clip_options(frames=16, stride=4, input=clip))


def view_names(local_clips: int) -> tuple[str, ...]:
    one = ("global", *(f"local/{j}" for j in range(local_clips)))
    return (*one, *(f"{name}/copy" for name in one))


def placed(length: int, clip: str = "rgb", key: int = 0, **options: Any) -> dict[str, list[int]]:
    """Frame indices by view."""
    window = windows(clip, **options).place(length, stream("windows", key))
    return {name: placement.indices(length) for name, placement in window.items()}


def sampling(**options: Any) -> dict[str, Any]:
    return {"windows": {"name": "global_local", **options}}


class TestWindowSamplers(WindowSamplerContract):
    @pytest.fixture(autouse=True, params=names("window sampler"))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.component = request.param


@pytest.mark.parametrize(("local_clips", "stride"), [(4, 1), (2, 2)])
@pytest.mark.parametrize(("kind", "more"), [("rgb", 0), ("difference", 1)])
def test_the_clips_of_a_window_hold_exactly_these_frames(local_clips: int, stride: int, kind: str, more: int) -> None:
    starts = set()
    for key in range(40):
        held = placed(80, kind, key, local_clips=local_clips)
        start = held["global"][0]
        starts.add(start)
        expected = {"global": [start + 4 * i for i in range(16 + more)]}
        for j in range(local_clips):
            first = start + j * 16 * stride
            expected[f"local/{j}"] = [first + stride * i for i in range(16 + more)]
        assert tuple(held) == view_names(local_clips) == windows(local_clips=local_clips).view_names
        assert held == {**expected, **{f"{name}/copy": frames for name, frames in expected.items()}}
    assert min(starts) >= 0
    assert max(starts) <= 80 - windows(kind, local_clips=local_clips).span
    assert len(starts) > 8


def test_a_window_has_64_frames_that_its_local_clips_tile() -> None:
    assert (windows().span, windows("difference").span) == (64, 65)
    held = placed(200)
    start = held["global"][0]
    assert [frame for j in range(4) for frame in held[f"local/{j}"]] == list(range(start, start + 64))
    assert max(held["global"]) < start + 64
    halves = placed(200, local_clips=2)
    start = halves["global"][0]
    assert halves["local/0"] + halves["local/1"] == list(range(start, start + 64, 2))


@pytest.mark.parametrize("length", [57, 60, 64, 200])
@pytest.mark.parametrize("local_clips", [1, 2, 4, 8])
def test_slice_j_of_the_global_clip_is_of_the_frames_of_local_clip_j(length: int, local_clips: int) -> None:
    held = placed(length, local_clips=local_clips, skips=(8 if local_clips == 8 else 4,), shortest=0.0)
    for j in range(local_clips):
        one = slice(j * 16 // local_clips, (j + 1) * 16 // local_clips)
        assert held["global"][one] == held[f"local/{j}"][::local_clips]


def test_starts_are_uniform_over_all_that_fit() -> None:
    draws = [windows().place(83, stream("starts", i))["global"].start for i in range(4000)]
    counts = np.bincount(draws, minlength=20)
    assert len(counts) == 83 - 64 + 1
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("length", "skips"),
    [(253, [4, 8, 12, 16]), (252, [4, 8, 12]), (190, [4, 8, 12]), (189, [4, 8]), (127, [4, 8]), (126, [4]), (64, [4])],
)
def test_skips_are_drawn_evenly_among_those_that_fit(length: int, skips: list[int]) -> None:
    window = windows(skips=(4, 8, 12, 16))
    drawn: Counter[int] = Counter()
    for i in range(1500):
        clips = window.place(length, stream("skips", i))
        drawn[clips["global"].stride] += 1
        assert {clips[f"local/{j}"].stride for j in range(4)} == {clips["global"].stride // 4}
        stride = clips["global"].stride // 4
        start = clips["global"].start
        tiles = [clips[f"local/{j}"].indices(length) for j in range(4)]
        assert start + 63 * stride < length
        assert [frame for tile in tiles for frame in tile] == list(range(start, start + 64 * stride, stride))
    assert sorted(drawn) == skips
    assert max(abs(count - 1500 / len(skips)) for count in drawn.values()) < 4 * np.sqrt(1500 / 4)


@pytest.mark.parametrize("skips", [(4,), (4, 8, 12, 16)])
@pytest.mark.parametrize("length", range(57, 65))
def test_a_video_just_too_short_starts_at_0_and_reflects_its_tail(length: int, skips: tuple[int, ...]) -> None:
    window = windows(skips=skips)
    assert window.fits(length)
    back = list(range(length)) + list(range(length - 2, -1, -1))
    for key in range(5):
        held = placed(length, key=key, skips=skips)
        assert held["global"] == back[0:64:4]
        for j in range(4):
            assert held[f"local/{j}"] == back[16 * j : 16 * j + 16]


def test_the_tail_of_57_frames_in_full() -> None:
    held = placed(57)
    assert held["local/3"] == [48, 49, 50, 51, 52, 53, 54, 55, 56, 55, 54, 53, 52, 51, 50, 49]
    assert held["global"] == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 52]


def test_reflection_goes_on_in_a_video_of_few_frames() -> None:
    assert Placement(0, 8, 1, past_end="reflect").indices(3) == [0, 1, 2, 1, 0, 1, 2, 1]
    assert Placement(1, 4, 3, past_end="reflect").indices(4) == [1, 2, 1, 2]
    assert Placement(0, 4, 2, past_end="reflect").indices(1) == [0, 0, 0, 0]
    assert Placement(0, 4, 2, past_end="reflect").indices(2) == [0, 0, 0, 0]
    assert Placement(1, 4, 1, past_end="reflect").indices(2) == [1, 0, 1, 0]


@pytest.mark.parametrize(("kind", "local_clips"), [("rgb", 4), ("rgb", 2), ("difference", 4), ("difference", 2)])
def test_videos_of_56_frames_and_fewer_are_left_out(kind: str, local_clips: int) -> None:
    source = NumberedSource(200, 56, 57, 20, 64, 63, 1)
    cell = numbered_cell(sampling=sampling(local_clips=local_clips), clip={"stride": 1, "input": kind})
    assert training_videos(cell, source) == (0, 2, 4, 5)
    # With differences a clip has a frame more, and a window too.
    assert windows(kind, local_clips=local_clips).span == {("rgb", 4): 64, ("rgb", 2): 63}.get((kind, local_clips), 65)
    assert training_videos(numbered_cell(clip={"stride": 1}), source) == tuple(range(7))


def test_where_no_video_fits_the_set_is_refused() -> None:
    expected = (
        r"sampling\.windows: a window spans 64 frames of video, and the longest of the 3 readable videos has 56; lower "
        r"sampling\.windows\.skips .* or clip\.frames"
    )
    with pytest.raises(ConfigError, match=expected):
        training_videos(numbered_cell(sampling=sampling()), NumberedSource(56, 20, 3))


def test_videos_that_no_window_fits_are_counted_and_said_under_the_table(source: VideoSource, tmp_path: Path) -> None:
    """Windows of 16 frames: of 14 videos, 3 of 14 frames are left out, 2 of 15 are reflected."""
    lengths = {0: 14, 1: 14, 2: 14, 3: 15, 4: 15}
    rows = tuple(replace(row, frames=lengths.get(i, row.frames)) for i, row in enumerate(source.manifest.rows))
    short = VideoSource(source.catalog, replace(source.manifest, rows=rows), source.root, source.cache)
    # A row of one study without the windows' losses is trained on the same videos: nothing reads the windows here.
    cell = small_cell(sampling=sampling(), batch_size=4)
    summary = pretrain(cell, folder_of(tmp_path, cell, short), short)
    assert (summary.left_out, summary.too_short, summary.steps) == (3, 2, 2)
    found = replace(example().rows[1].cells[0], left_out=summary.left_out, too_short=summary.too_short)
    table = build_table(replace(example(), rows=(RowInput("TCLR", (found,)),), baseline=None))
    texts = [text for _, text in table.footnotes]
    assert "TCLR, seed 0: 3 readable training video(s) not trained on: too short, or no label" in texts
    assert "TCLR, seed 0: 2 training video(s) shorter than a clip or window, continued past the end" in texts


@pytest.mark.parametrize(("local_clips", "skips"), [(4, [6]), (4, [4, 10]), (3, [4]), (8, [4])])
def test_a_skip_that_the_local_clips_do_not_divide_is_refused(local_clips: int, skips: list[int]) -> None:
    bad = next(skip for skip in skips if skip % local_clips)
    with pytest.raises(ConfigError, match=rf"windows.*skips {bad} does not divide by local_clips {local_clips}"):
        numbered_cell(sampling=sampling(local_clips=local_clips, skips=skips))


@pytest.mark.parametrize("bad", [{"skips": []}, {"local_clips": 0}, {"shortest": 1.5}, {"instance_pair": "window"}])
def test_options_out_of_bounds_are_refused_by_their_keys(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"sampling\.windows\.{next(iter(bad))}"):
        numbered_cell(sampling=sampling(**bad))


def test_the_clips_of_a_batch_hold_the_frames_of_their_placements() -> None:
    source = NumberedSource(60, 90, 200, 250)
    for kind, read in (("rgb", numbers), ("difference", steps)):
        cell = numbered_cell(sampling=sampling(), clip={"input": kind})
        for batch in batches(cell, source, view_names(4), epoch=2):
            for row, video in enumerate(batch.views["global"].video.tolist()):
                length = source.length(video)
                clips = windows(kind).place(length, stream(3, 2, video, "windows", "placement"))
                for name in view_names(4):
                    view, frames = batch.views[name], clips[name].indices(length)
                    assert read(view.clips[row]) == (frames if kind == "rgb" else np.diff(frames).tolist())
                    assert (view.rate[row].item(), view.distortion[row].item()) == (4 if "global" in name else 1, 1)
                    middle = clips[name].start + clips[name].stride * (clips[name].frames - 1) / 2
                    assert view.center[row].item() == pytest.approx(middle / length)


def test_copies_share_their_place_and_are_augmented_each_by_a_draw_of_its_own(source: VideoSource) -> None:
    cell = small_cell(sampling=sampling())
    (batch, *_), again = (batches(cell, source, view_names(4)) for _ in range(2))
    for name in view_names(4)[:5]:
        one, copy = batch.views[name], batch.views[f"{name}/copy"]
        assert torch.equal(one.center, copy.center)
        assert torch.equal(one.video, copy.video)
        assert (one.box != copy.box).any(dim=1).all()
        assert all(not torch.equal(left, right) for left, right in zip(one.clips, copy.clips, strict=True))
        for view in (name, f"{name}/copy"):
            assert torch.equal(batch.views[view].clips, again[0].views[view].clips)
    other = batches(small_cell(sampling=sampling(), seed=4), source, ("global",))[0]
    assert not torch.equal(other.views["global"].clips, batch.views["global"].clips)


def test_the_pair_is_independent_of_the_window() -> None:
    cell, source = numbered_cell(sampling=sampling(), clip={"stride": 4}), NumberedSource(256)
    pipeline = ViewPipeline(cell, source, (*PAIR, "global"))
    origins = []
    for epoch in range(400):
        origins.append(pipeline(0, epoch, {name: rows[0] for name, rows in pipeline.empty(1).items()}).origins)
    query, key, window = ([origin[name].center for origin in origins] for name in (*PAIR, "global"))
    for one, other in ((query, key), (query, window), (key, window)):
        assert abs(stats.spearmanr(one, other).statistic) < 4 / np.sqrt(400)


def test_an_instance_pair_may_reuse_the_global_clip() -> None:
    options = {"random": GlobalLocalOptions(), "reuse_global": GlobalLocalOptions(instance_pair="reuse_global")}
    assert {name: one.same_view for name, one in options.items()} == {"random": {}, "reuse_global": {"query": "global"}}
    source = NumberedSource(150, 160, 170)
    made = {}
    for name in options:
        cell = numbered_cell(sampling=sampling(instance_pair=name))
        objective = build_objective(cell, training_videos(cell, source), 1)
        made[name] = batches(cell, source, objective.view_names)[0]
    assert {name: set(batch.views) for name, batch in made.items()} == {
        "random": {"query", "key"},
        "reuse_global": {"global", "key"},
    }
    # The key stays where it was.
    assert torch.equal(made["random"].views["key"].clips, made["reuse_global"].views["key"].clips)


def test_a_window_needs_no_pair() -> None:
    cell = numbered_cell(sampling={"pair": None, **sampling()}, clip={"stride": 32})
    batch = batches(cell, NumberedSource(60, 62), view_names(4))[0]
    assert set(batch.views) == set(view_names(4))
    with pytest.raises(ConfigError, match=r"sampling\.pair is required"):
        batches(cell, NumberedSource(60, 62), ("query", "global"))


def test_frames_that_clips_share_are_decoded_once_and_wrapped_ones_stay_in_order() -> None:
    source = NumberedSource(70, 70)
    cell = numbered_cell(sampling=sampling(), clip={"stride": 4})
    pipeline = ViewPipeline(cell, source, (*PAIR, *view_names(4)))
    pipeline(0, 0, {name: rows[0] for name, rows in pipeline.empty(1).items()})
    (asked,) = source.asked
    assert asked == sorted(set(asked))
    assert len(asked) <= 70
    wrapped, reflected = Placement(60, 8, 4).indices(70), Placement(64, 8, 2, past_end="reflect").indices(70)
    assert wrapped == [60, 64, 68, 2, 6, 10, 14, 18]
    assert reflected == [64, 66, 68, 68, 66, 64, 62, 60]
    clips = source.clips(0, [wrapped, reflected, [5, 5, 3]])
    assert [clip[:, 0, 0, 0].tolist() for clip in clips] == [wrapped, reflected, [5, 5, 3]]
    assert source.asked[-1] == sorted({*wrapped, *reflected, 5, 3})
