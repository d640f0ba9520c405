from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from raysl.data.catalog import Catalog
from raysl.data.decode import decode_all, read_frames
from raysl.data.decode_inspect import fill_video
from raysl.data.decode_pyav import DecodedFrame, SequentialReader
from raysl.data.frame_cache import CHUNK, VERSION, CacheWriter, FrameCache
from raysl.data.manifest import build_manifest
from raysl.data.manifest_types import Manifest
from raysl.data.resize import resize_frames
from raysl.data.source import VideoSource
from tests.data.rendered import write_set
from tests.data.unprivileged import public_folder, unprivileged

SIZE = 24
ROOMY = 10**9


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def build(catalog: Catalog, root: Path, cache: FrameCache | None, manifests: str = "manifests") -> Manifest:
    return build_manifest(catalog, root, folder=root.parent / manifests, processes=1, fill=cache)


def contents(cache: FrameCache) -> dict[str, bytes]:
    """Every file of the cache but the ledger."""
    files = (file for file in cache.folder.rglob("*") if file.is_file() and file.name != "ledger")
    return {file.relative_to(cache.folder).as_posix(): file.read_bytes() for file in files}


def fill_everything(root: Path, catalog: Catalog, folders: list[Path], start: Barrier) -> None:
    """One cold process: builds as the others do, then fills without the lock that has them wait for each other."""
    start.wait()
    manifest = build(catalog, root, FrameCache(folders[0], SIZE, ROOMY))
    start.wait()
    for row in manifest.rows:
        fill_video(root, row, FrameCache(folders[1], SIZE, ROOMY))


def test_cached_frames_are_the_resized_sequential_ones(root: Path) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, ROOMY)
    manifest = build(write_set(root, videos=2, frames=70), root, cache)
    for row in manifest.rows:
        cached = cache.open(row)
        assert cached is not None
        assert cached.shape == (row.frames, 24, 32, 3)
        expected = resize_frames(read_frames(root / row.path, range(row.frames), decoder="pyav"), SIZE)
        assert np.array_equal(cached, expected.permute(0, 2, 3, 1).numpy())
        with pytest.raises(ValueError, match="read-only"):
            cached[0] = 0


@pytest.mark.slow
def test_four_cold_processes_fill_what_one_fills(root: Path) -> None:
    catalog = write_set(root, videos=5)
    serial = FrameCache(root.parent / "serial", SIZE, ROOMY)
    build(catalog, root, serial, manifests="serial manifests")
    folders = [root.parent / "in turn", root.parent / "at once"]
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(4)
    workers = [context.Process(target=fill_everything, args=(root, catalog, folders, start)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(contents(serial)) == 5
    for folder in folders:
        shared = FrameCache(folder, SIZE, ROOMY)
        assert contents(shared) == contents(serial)
        assert int((folder / "ledger").read_text()) == shared.budget.scan() == serial.budget.scan()


@pytest.mark.parametrize("damage", ["truncated", "longer", "empty"])
def test_a_file_of_another_length_is_rewritten(root: Path, damage: str) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, ROOMY)
    catalog = write_set(root, videos=2)
    row = build(catalog, root, cache).rows[0]
    file = cache.path(row.fingerprint)
    good = file.read_bytes()
    file.write_bytes({"truncated": good[:1000], "longer": good + b"x", "empty": b""}[damage])
    assert cache.open(row) is None
    build(catalog, root, cache)
    assert file.read_bytes() == good


def test_past_the_budget_nothing_more_is_cached(root: Path) -> None:
    catalog = write_set(root, videos=4, frames=30)
    frame = 3 * 24 * 32
    budget = (30 + 31) * frame + 100
    cache = FrameCache(root.parent / "frames", SIZE, budget)
    manifest = build(catalog, root, cache)
    assert [cache.holds(row) for row in manifest.rows] == [True, True, False, False]
    assert cache.budget.scan() == 61 * frame
    assert set(contents(cache)) == {
        cache.path(row.fingerprint).relative_to(cache.folder).as_posix() for row in manifest.rows[:2]
    }
    # Another size counts against the same budget.
    other = FrameCache(cache.folder, 16, budget)
    build(catalog, root, other)
    assert not any(other.holds(row) for row in manifest.rows)


def test_decoding_ends_with_the_room(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = write_set(root, videos=1, frames=150)
    manifest = build(catalog, root, None)
    decoded: list[int] = []

    class Counted(SequentialReader):
        def __iter__(self) -> Iterator[DecodedFrame]:
            for number, frame in enumerate(super().__iter__()):
                decoded.append(number)
                yield frame

    monkeypatch.setattr("raysl.data.decode_inspect.SequentialReader", Counted)
    cache = FrameCache(root.parent / "frames", SIZE, 40 * 3 * 24 * 32)
    assert not fill_video(root, manifest.rows[0], cache)
    assert len(decoded) == 2 * CHUNK
    assert contents(cache) == {}


@pytest.mark.parametrize("listed", [True, False])
def test_what_a_cache_lacks_of_a_set(listed: bool) -> None:
    with public_folder() as folder:
        catalog, cache = write_set(folder / "root", videos=4), FrameCache(folder / "frames", SIZE, ROOMY)
        assert len([*cache.lacking(build(catalog, folder / "root", None).rows)]) == 4
        rows = build(catalog, folder / "root", cache).rows
        cache.path(rows[1].fingerprint).unlink()
        cache.path(rows[2].fingerprint).write_bytes(b"")
        cache.path(rows[2].fingerprint).parent.chmod(0o755 if listed else 0o311)
        with unprivileged():
            assert [*cache.lacking(rows)] == [rows[1], rows[2]]


def test_room_that_was_made_is_used(root: Path) -> None:
    catalog = write_set(root, videos=2, frames=30)
    folder = root.parent / "frames"
    manifest = build(catalog, root, FrameCache(folder, SIZE, 35 * 3 * 24 * 32))
    FrameCache(folder, SIZE, 0).path(manifest.rows[0].fingerprint).unlink()
    fresh = FrameCache(folder, SIZE, 35 * 3 * 24 * 32)
    assert fill_video(root, manifest.rows[1], fresh)
    assert fresh.holds(manifest.rows[1])


def test_without_a_budget_nothing_is_written(root: Path) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, 0)
    manifest = build(write_set(root, videos=1), root, cache)
    assert not cache.holds(manifest.rows[0])
    assert not cache.folder.exists()


def test_a_lost_ledger_is_counted_anew(root: Path) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, ROOMY)
    build(write_set(root, videos=2), root, cache)
    used = int((cache.folder / "ledger").read_text())
    for content in ("", "nonsense"):
        (cache.folder / "ledger").write_text(content)
        assert cache.budget.room_for(ROOMY - used)
        assert int((cache.folder / "ledger").read_text()) == used


def test_a_writer_that_fails_leaves_nothing(root: Path) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, ROOMY)
    catalog = write_set(root, videos=1, frames=50)
    with cache.writer("0123") as writer:
        for frame in decode_all(root / catalog.videos[0].path):
            writer.add(frame)
        assert len(contents(cache)) == 1
    assert contents(cache) == {}


def test_what_killed_writers_and_earlier_layouts_left_is_swept(root: Path) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, ROOMY)
    names = ["old.part", "new.part", "a-v2.u8", f"a-v{VERSION}.u8"]
    old, new, earlier, own = (cache.folder / "24" / name for name in names)
    old.parent.mkdir(parents=True)
    for file in (old, new, earlier, own):
        file.touch()
    for file in (old, earlier, own):
        os.utime(file, (0, 0))
    assert cache.sweep() == 2
    assert set(old.parent.iterdir()) == {new, own}


def test_a_mapped_file_outlives_its_replacement(root: Path) -> None:
    cache = FrameCache(root.parent / "frames", SIZE, ROOMY)
    catalog = write_set(root, videos=1)
    row = build(catalog, root, cache).rows[0]
    mapped = cache.open(row)
    assert mapped is not None
    before = np.array(mapped)
    cache.path(row.fingerprint).unlink()
    build(catalog, root, cache)
    assert np.array_equal(mapped, before)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_leaves_videos_out_of_the_cache_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = write_set(tmp_path / "set", videos=2)
    cache = FrameCache(tmp_path / "frames", 24, 10**9)

    def on_full_disk(fingerprint: str) -> CacheWriter:
        writer = CacheWriter(cache, fingerprint)
        writer._temporary = tmp_path / f"{fingerprint}.part"
        writer._temporary.symlink_to("/dev/full")
        return writer

    monkeypatch.setattr(cache, "writer", on_full_disk)
    manifest = build_manifest(catalog, tmp_path / "set", folder=tmp_path / "manifests", processes=1, fill=cache)
    assert [row.error for row in manifest.rows] == [None, None]
    assert not any(cache.holds(row) for row in manifest.rows)
    assert not list(tmp_path.glob("*.part"))
    assert caplog.text.count("its disk is full; other videos are decoded on demand") == 1
    source = VideoSource(catalog, manifest, tmp_path / "set", cache)
    assert source.frames(0, [0, 5]).shape[0] == 2
    assert source.reads["cache"] == 0
