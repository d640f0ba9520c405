from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from raysl.config.component import Chosen
from raysl.data import decode_decord
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.decode import read_frames
from raysl.data.places import Places
from raysl.data.resize import resize_frames
from raysl.data.source import VideoSource, open_source
from raysl.errors import DataError
from raysl.notes import heard
from tests.data.rendered import cut, moving_square, rotate_flag, write_set, write_short, write_video

DATA = Chosen("data set", "folder", FolderOptions(labels="none"))
SIZE = 24


@pytest.fixture
def places(tmp_path: Path) -> Places:
    root = tmp_path / "root"
    write_set(root, videos=2)
    write_short(root / "short.avi")
    rotate_flag(write_video(root / "upright.mp4", moving_square(20, seed=9)))
    return Places({"folder": root}, tmp_path / "cache")


def without_cache(places: Places) -> Places:
    return Places(places.roots, places.cache / "bare", cache_gigabytes=0.0)


def test_cache_decord_and_pyav_give_the_same_bits(places: Places) -> None:
    bare = open_source(DATA, without_cache(places), resize=SIZE)
    cached = open_source(DATA, places, resize=SIZE)
    assert [row.decord_agrees for row in bare.manifest.rows] == [True, True, True, False]
    for video in bare.catalog.videos:
        last = bare.length(video.index) - 1
        for indices in ([0], [last, 0, 3, 3], list(range(0, last, 2))):
            expected = resize_frames(read_frames(bare.root / video.path, indices, decoder="pyav"), SIZE)
            for source in (bare, cached):
                frames = source.frames(video.index, indices)
                assert frames.dtype == torch.uint8
                assert frames.is_contiguous(memory_format=torch.channels_last)
                assert torch.equal(frames, expected)
    assert bare.reads == {"decord": 9, "pyav": 3}
    assert cached.reads == {"cache": 12}


def test_without_decord_a_stored_manifest_is_read_with_pyav_and_a_new_one_says_so(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = open_source(DATA, without_cache(places), resize=SIZE)
    expected = [bare.frames(index, [3, 0, 7]) for index in range(len(bare.catalog.videos))]
    assert bare.reads == {"decord": 3, "pyav": 1}
    monkeypatch.setitem(sys.modules, "decord", None)
    there = Places(places.roots, places.cache / "there", cache_gigabytes=0.0)
    notes: list[str] = []
    with heard(notes.append):
        elsewhere = open_source(DATA, without_cache(places), resize=SIZE, snapshot=bare.snapshot)
        made = open_source(DATA, there, resize=SIZE)
    assert notes == [decode_decord.ABSENT]
    for source in (elsewhere, made):
        assert all(torch.equal(source.frames(index, [3, 0, 7]), one) for index, one in enumerate(expected))
        assert source.reads == {"pyav": 4}
    assert elsewhere.manifest == bare.manifest
    assert made.manifest.rows == tuple(replace(row, decord_agrees=False) for row in bare.manifest.rows)


def test_clips_that_share_frames_are_those_read_alone_and_decoded_together(places: Places) -> None:
    bare = open_source(DATA, without_cache(places), resize=SIZE)
    cached = open_source(DATA, places, resize=SIZE)
    for video in bare.catalog.videos:
        last = bare.length(video.index) - 1
        wanted = [[2, 3, 4], [last, 0, 3, 3], [4, 3], [last - 1]]
        expected = [cached.frames(video.index, one) for one in wanted]
        for source in (bare, cached):
            clips = source.clips(video.index, wanted)
            assert all(clip.is_contiguous(memory_format=torch.channels_last) for clip in clips)
            assert all(torch.equal(clip, own) for clip, own in zip(clips, expected, strict=True))
    assert bare.reads == {"decord": 3, "pyav": 1}
    with pytest.raises(IndexError, match="frames, not"):
        bare.clips(0, [[0], [bare.length(0)]])


def test_frames_are_the_callers_own(places: Places) -> None:
    source = open_source(DATA, places, resize=SIZE)
    first = source.frames(1, [0, 1])
    before = first.clone()
    first.zero_()
    assert torch.equal(source.frames(1, [0, 1]), before)


def test_unreadable_videos_are_known(places: Places) -> None:
    root = places.roots["folder"]
    (root / "empty.mp4").touch()
    source = open_source(DATA, places, resize=SIZE)
    assert [video.path for video in source.readable("train")] == [
        "short.avi",
        "some folder/v 0.mp4",
        "some folder/v 1.mp4",
        "upright.mp4",
    ]
    assert len(source.catalog.split("train")) == 5
    (empty,) = (video for video in source.catalog.videos if video.path == "empty.mp4")
    assert source.length(empty.index) == 0
    with pytest.raises(DataError, match=r"empty\.mp4"):
        source.frames(empty.index, [0])


def test_an_unknown_split_is_named(places: Places) -> None:
    source = open_source(DATA, places, resize=SIZE)
    with pytest.raises(DataError, match=r"'valid'.*train"):
        source.readable("valid")


@pytest.mark.parametrize("indices", [[], [-1], [30]])
def test_indices_outside_a_video_are_refused(places: Places, indices: list[int]) -> None:
    source = open_source(DATA, places, resize=SIZE)
    with pytest.raises(IndexError, match=r"v 0\.mp4 has 30 frames"):
        source.frames(1, indices)


@pytest.mark.parametrize("loss", ["removed", "replaced"])
def test_a_later_failure_names_the_video(places: Places, loss: str) -> None:
    source = open_source(DATA, without_cache(places), resize=SIZE)
    for video in source.catalog.videos:
        file = source.root / video.path
        file.unlink()
        if loss == "replaced":
            file.write_text("no video")
        with pytest.raises(DataError, match=file.name):
            source.frames(video.index, [0])
    assert source.reads == {}


def test_a_cache_file_cut_short_is_not_trusted(places: Places) -> None:
    source = open_source(DATA, places, resize=SIZE)
    expected = source.frames(1, [0, 29])
    file = source.cache.path(source.manifest.rows[1].fingerprint)
    cut(file, 0.9)
    again = pickle.loads(pickle.dumps(source))
    assert torch.equal(again.frames(1, [0, 29]), expected)
    assert again.reads == {"decord": 1}


def test_a_stored_manifest_is_used_and_checked(places: Places, tmp_path: Path) -> None:
    snapshot = open_source(DATA, without_cache(places), resize=SIZE).snapshot
    manifest = snapshot.manifest
    elsewhere = Places(places.roots, tmp_path / "other cache")
    source = open_source(DATA, elsewhere, resize=SIZE, snapshot=snapshot)
    assert source.manifest == manifest
    assert all(source.cache.holds(row) for row in manifest.rows)
    assert not list((elsewhere.cache / "manifests").glob("*.jsonl"))
    write_video(places.roots["folder"] / "new.mp4", moving_square(20))
    with pytest.raises(DataError, match="lists are not those that the run read"):
        open_source(DATA, elsewhere, resize=SIZE, snapshot=snapshot)


def test_a_stored_manifest_of_another_file_is_refused_even_without_a_cache(places: Places) -> None:
    source = open_source(DATA, without_cache(places), resize=SIZE)
    write_video(source.root / "some folder/v 0.mp4", moving_square(7))
    with pytest.raises(DataError, match=r"v 0\.mp4"):
        source.frames(1, [20])


class Clips(Dataset[torch.Tensor]):
    def __init__(self, source: VideoSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source.catalog.videos)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.source.frames(index, [0, 5, 10])


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_loader_workers_read_what_this_process_reads(places: Places, context: str) -> None:
    source = open_source(DATA, places, resize=SIZE)
    loader = DataLoader(Clips(source), batch_size=None, num_workers=2, multiprocessing_context=context)
    for index, frames in enumerate(loader):
        assert torch.equal(frames, source.frames(index, [0, 5, 10]))


def test_no_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--root folder=PATH"):
        open_source(DATA, Places({}, tmp_path), resize=SIZE)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_maps_are_few_where_few_files_may_be_open(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(DATA, places, resize=SIZE)
    expected = [source.frames(video.index, [1, 0]) for video in source.catalog.videos]
    monkeypatch.setattr("raysl.data.source.most_maps", lambda: 1)
    few, before = pickle.loads(pickle.dumps(source)), _descriptors()
    for _ in range(2):
        for video, frames in zip(few.catalog.videos, expected, strict=True):
            assert torch.equal(few.frames(video.index, [1, 0]), frames)
    assert few.reads == {"cache": 8}
    assert _descriptors() == before + 1


LIMITS = """
import os, resource
from raysl.data.source import most_maps
for limits in [(64, 128), (1024, 1024), (1024, 8192)]:
    if os.fork() == 0:  # a limit that was lowered cannot be raised again
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        print(most_maps(), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.slow
def test_a_quarter_of_what_may_be_open_once_the_limit_is_raised() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITS], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["32", "256", "2048"], done.stderr
