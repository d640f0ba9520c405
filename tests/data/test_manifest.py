from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raysl.data.catalog import Catalog
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import build_manifest, fill_cache
from raysl.data.manifest_pool import Job, Work, run_jobs
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.errors import DataError
from tests.data.rendered import catalog_of, damage, moving_square, write_set, write_short, write_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


class Steps:
    """Records progress; stops the build when so many videos are done."""

    def __init__(self, stop: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self.stop = stop

    def __call__(self, done: int, videos: int) -> None:
        self.seen.append((done, videos))
        if done == self.stop:
            raise KeyboardInterrupt


def build(catalog: Catalog, root: Path, steps: Steps | None = None, processes: int = 1) -> Manifest:
    return build_manifest(
        catalog, root, folder=root.parent / "manifests", processes=processes, progress=steps or Steps()
    )


def test_rows_say_what_was_written(root: Path) -> None:
    write_video(root / "a.mp4", moving_square(30))
    row = build(catalog_of(["a.mp4"]), root).rows[0]
    assert (row.path, row.frames, row.header_frames, row.error) == ("a.mp4", 30, 30, None)
    assert (row.height, row.width, row.rate) == (48, 64, 25.0)
    assert row.keyframes == (0, 12, 24)
    assert row.decord_agrees
    assert len(row.fingerprint) == 32


def test_a_short_video_is_a_row_without_an_error(root: Path) -> None:
    write_short(root / "a.avi", claimed=40, frames=24)
    row = build(catalog_of(["a.avi"]), root).rows[0]
    assert row.error is None
    assert (row.frames, row.header_frames) == (24, 40)


def test_unreadable_videos_have_a_reason_and_do_not_stop_the_others(root: Path) -> None:
    catalog = write_set(root, videos=2)
    (root / "empty.mp4").touch()
    damage(write_video(root / "damaged.mp4", moving_square(40), bf="0"), packet=20)
    catalog = catalog_of([*(video.path for video in catalog.videos), "empty.mp4", "damaged.mp4"])
    manifest = build(catalog, root)
    assert list(manifest.unreadable()) == ["empty.mp4", "damaged.mp4"]
    assert "decoding stops after" in manifest.unreadable()["damaged.mp4"]
    assert [row.frames for row in manifest.rows] == [30, 31, 0, 0]
    again = Steps()
    assert build(catalog, root, again) == manifest
    assert again.seen == [(4, 4)]


def test_an_absent_file_is_named(root: Path) -> None:
    root.mkdir()
    with pytest.raises(DataError, match=r"gone\.mp4"):
        build(catalog_of(["gone.mp4"]), root)


@pytest.mark.slow
def test_two_processes_give_what_one_gives(root: Path) -> None:
    catalog = write_set(root, videos=5)
    (root / "text.avi").write_text("no video")
    catalog = catalog_of([*(video.path for video in catalog.videos), "text.avi"])
    parallel = build_manifest(catalog, root, folder=root.parent / "other", processes=2)
    assert parallel == build(catalog, root)


def test_a_stopped_build_goes_on_where_it_was(root: Path) -> None:
    catalog = write_set(root, videos=4)
    with pytest.raises(KeyboardInterrupt):
        build(catalog, root, Steps(stop=2))
    resumed = Steps()
    build(catalog, root, resumed)
    assert resumed.seen == [(2, 4), (3, 4), (4, 4)]


def test_a_line_left_unfinished_costs_its_video_alone(root: Path) -> None:
    catalog = write_set(root, videos=3)
    manifest = build(catalog, root)
    (store,) = (root.parent / "manifests").glob("*.jsonl")
    store.write_bytes(store.read_bytes()[:-40])
    resumed = Steps()
    assert build(catalog, root, resumed) == manifest
    assert resumed.seen[0] == (2, 3)
    assert build(catalog, root) == manifest


def test_a_changed_file_is_decoded_again(root: Path) -> None:
    catalog = write_set(root, videos=2)
    build(catalog, root)
    write_video(root / catalog.videos[1].path, moving_square(17))
    again = Steps()
    assert build(catalog, root, again).rows[1].frames == 17
    assert again.seen == [(1, 2), (2, 2)]


class CrashingWork(Work):
    """Kills its process on one video, as a decoder with a fault in it does."""

    def do(self, job: Job) -> ManifestRow:
        if job.path == "some folder/v 1.mp4":
            os._exit(11)
        return super().do(job)


@pytest.mark.slow
def test_a_crash_of_the_decoder_costs_one_video(root: Path) -> None:
    catalog = write_set(root, videos=4)
    done = list(run_jobs(CrashingWork(root, None), [Job(video.path) for video in catalog.videos], processes=2))
    errors = {row.path: row.error for _, row in done}
    assert len(done) == 4
    assert errors.pop("some folder/v 1.mp4") == "the decoder crashes on it"
    assert set(errors.values()) == {None}


def test_the_cache_is_filled_in_the_same_pass_and_for_another_size_later(root: Path) -> None:
    catalog = write_set(root, videos=2)
    small, large = (FrameCache(root.parent / "frames", size, 10**8) for size in (24, 32))
    manifest = build_manifest(catalog, root, folder=root.parent / "manifests", processes=1, fill=small)
    assert all(small.holds(row) and not large.holds(row) for row in manifest.rows)
    again = build_manifest(catalog, root, folder=root.parent / "manifests", processes=1, fill=large)
    assert again == manifest
    assert all(large.holds(row) for row in manifest.rows)


def test_filling_from_a_stored_manifest_refuses_another_file(root: Path) -> None:
    catalog = write_set(root, videos=1)
    manifest = build(catalog, root)
    write_video(root / catalog.videos[0].path, moving_square(17))
    with pytest.raises(DataError, match=r"v 0\.mp4.*changed since its manifest"):
        fill_cache(manifest, root, FrameCache(root.parent / "frames", 24, 10**8), folder=root.parent, processes=1)


def test_no_more_is_decoded_than_the_budget_holds(root: Path) -> None:
    """A set larger than the cache is decoded up to what fits, and not at all once that is there."""
    catalog = write_set(root, videos=4)
    manifest = build(catalog, root)
    sizes = [FrameCache(root.parent / "unused", 24, 1).bytes_of(row) for row in manifest.rows]
    cache, decoded = FrameCache(root.parent / "frames", 24, sum(sizes[:2]) + 1), list[tuple[int, int]]()
    for _ in range(2):
        fill_cache(
            manifest,
            root,
            cache,
            folder=root.parent / "manifests",
            processes=1,
            progress=lambda done, total: decoded.append((done, total)),
        )
    assert [cache.holds(row) for row in manifest.rows] == [True, True, False, False]
    assert decoded == [(2, 4), (3, 4), (4, 4)]


def test_a_cache_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    catalog = write_set(tmp_path / "set", videos=1)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match=r"taken/manifests cannot be written: .*; give another one with --cache"):
        build_manifest(catalog, tmp_path / "set", folder=tmp_path / "taken" / "manifests", processes=1)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True])
def test_processes_that_cannot_start_are_no_videos_fault(tmp_path: Path, broken: bool) -> None:
    """As where memory is short; a script without a guard of its main module, read from standard input, starts them."""
    write_set(tmp_path / "set", videos=2, frames=4)
    script = f"""
import os
from pathlib import Path
from raysl.data import manifest_pool
from raysl.data.manifest import build_manifest
from raysl.errors import RayslError
from tests.data.rendered import catalog_of
root = Path({str(tmp_path)!r})
catalog = catalog_of(["some folder/v 0.mp4", "some folder/v 1.mp4"])
if {broken}:
    manifest_pool._begin = os._exit
try:
    print(len(build_manifest(catalog, root / "set", folder=root / "manifests", processes=2).unreadable()))
except RayslError as error:
    print(error)
"""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-"], input=script, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    expected = "the processes that decode videos end as they start" if broken else "0\n"
    assert done.stdout.startswith(expected), done.stderr
    assert bool(list((tmp_path / "manifests").glob("*.jsonl"))) != broken, "nothing is known of the videos"
