"""One cache folder of two users: one makes and fills it, another one comes after."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysl.config.component import Chosen
from raysl.data import manifest_store
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.catalogs.synthetic import SyntheticOptions
from raysl.data.manifest_store import RowStore
from raysl.data.places import Places
from raysl.data.shared_folder import locked, make_folder, open_shared
from raysl.data.source import VideoSource, known_snapshot, open_source
from raysl.errors import DataError
from raysl.notes import heard
from tests.data.rendered import moving_square, write_set, write_video
from tests.data.unprivileged import another_user, public_folder, umask

DATA = Chosen("data set", "folder", FolderOptions(labels="none"))
two_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def places() -> Iterator[Places]:
    with public_folder() as folder:
        write_set(folder / "root", videos=2, frames=12)
        yield Places({"folder": folder / "root"}, folder / "cache")


def opened(places: Places) -> VideoSource:
    """The data set as this user gets it, every video read once."""
    source = open_source(DATA, places, resize=24)
    for video in source.catalog.videos:
        source.frames(video.index, [0, source.length(video.index) - 1])
    return source


def fill(places: Places, rights: int, mask: int) -> VideoSource:
    with umask(mask):
        places.cache.mkdir()
        places.cache.chmod(rights)
        return opened(places)


@two_users
@pytest.mark.parametrize("mask", [0o022, 0o077])
@pytest.mark.parametrize("rights", [0o755, 0o1777])
def test_what_one_cached_another_reads(places: Places, rights: int, mask: int) -> None:
    made = fill(places, rights, mask)
    said: list[str] = []
    with another_user(), heard(said.append):
        source = opened(places)
        known = known_snapshot(DATA, places)
    assert source.snapshot.hashes == made.snapshot.hashes
    assert known is not None
    assert source.reads == {"cache": 2}
    assert said == []


@two_users
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_where_others_may_write_both_fill_the_cache(places: Places, mask: int) -> None:
    fill(places, 0o1777, mask)
    write_video(places.roots["folder"] / "late.mp4", moving_square(12, seed=7))
    said: list[str] = []
    with heard(said.append):
        with another_user(), umask(mask):
            assert opened(places).reads == {"cache": 3}
        write_video(places.roots["folder"] / "later.mp4", moving_square(12, seed=8))
        assert opened(places).reads == {"cache": 4}
    assert said == []
    frames = [file for file in (places.cache / "frames").rglob("*.u8") if file.stat().st_uid != os.geteuid()]
    assert len(frames) == 1
    assert stat.S_IMODE(frames[0].stat().st_mode) == 0o644


@two_users
def test_where_others_may_only_read_the_rest_is_decoded_on_demand_and_said_once(places: Places) -> None:
    fill(places, 0o755, 0o022)
    for number in (7, 8):
        write_video(places.roots["folder"] / f"late{number}.mp4", moving_square(12, seed=number))
    said: list[str] = []
    with another_user(), heard(said.append):
        source = opened(places)
        assert opened(places).snapshot.hashes == source.snapshot.hashes
    assert source.reads["cache"] == 2
    assert sum(source.reads.values()) == 4
    frames, rows = sorted(said, key=lambda text: "read again in every run" in text)
    assert "cannot be written by this user (Permission denied); other videos are decoded on demand" in frames
    assert "so root is read again in every run" in rows
    assert all("--cache or RAYSL_CACHE" in text for text in said)


@two_users
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_set_that_one_began_to_render_another_completes(places: Places, mask: int) -> None:
    options = SyntheticOptions(classes=2, train_per_class=2, test_per_class=1, frames=4, height=16, width=16)
    data, said = Chosen("data set", "synthetic", options), list[str]()
    with umask(mask), heard(said.append):
        places.cache.mkdir()
        places.cache.chmod(0o1777)
        made = open_source(data, places, resize=16)
        (made.root / made.catalog.videos[0].path).unlink()
        with another_user():
            assert open_source(data, places, resize=16).snapshot.hashes == made.snapshot.hashes
        assert open_source(data, places, resize=16).snapshot.hashes == made.snapshot.hashes
    assert said == []


@two_users
def test_what_may_not_be_rendered_says_which_option(places: Places) -> None:
    fill(places, 0o755, 0o022)
    data = Chosen("data set", "synthetic", SyntheticOptions(train_per_class=1, test_per_class=1))
    with another_user(), pytest.raises(DataError, match=r"cannot write below .*give another folder with --cache"):
        open_source(data, places, resize=16)


@two_users
def test_files_that_others_may_not_read_are_decoded_on_demand(places: Places) -> None:
    fill(places, 0o755, 0o022)
    for file in (places.cache / "frames").rglob("*.u8"):
        file.chmod(0o600)
    for file in (places.cache / "manifests").glob("*.jsonl"):
        file.chmod(0o600)
    said: list[str] = []
    with another_user(), heard(said.append):
        assert "cache" not in opened(places).reads
    assert any("files of it cannot be read by this user" in text for text in said)
    assert any("its records of root cannot be read by this user" in text for text in said)


@two_users
def test_a_private_cache_is_refused_with_the_option(places: Places) -> None:
    fill(places, 0o700, 0o022)
    with another_user(), pytest.raises(DataError, match="cannot be written: Permission denied; give another one with "):
        opened(places)


@two_users
def test_what_a_killed_writer_of_another_user_left_stays(places: Places) -> None:
    source = fill(places, 0o1777, 0o022)
    left = places.cache / "frames" / "24" / "killed.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    left.parent.chmod(0o1777)
    with another_user():
        source.cache.sweep()
    assert left.exists()
    source.cache.sweep()
    assert not left.exists()


def test_a_folder_below_has_the_rights_of_the_cache_whatever_the_umask(tmp_path: Path) -> None:
    for rights, mask in ((0o2775, 0o077), (0o700, 0o000), (0o750, 0o022)):
        root = tmp_path / oct(rights)
        root.mkdir()
        root.chmod(rights)
        with umask(mask):
            make_folder(root / "a" / "b", root)
            os.close(open_shared(root / "a" / "file", root))
        for folder in (root / "a", root / "a" / "b"):
            assert stat.S_IMODE(folder.stat().st_mode) == rights
        assert stat.S_IMODE((root / "a" / "file").stat().st_mode) == rights & 0o666


def test_who_holds_a_lock_and_does_nothing_is_not_waited_for(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_store, "PATIENCE_SECONDS", 0.3)
    opened(places)
    write_video(places.roots["folder"] / "late.mp4", moving_square(12, seed=7))
    (lock,) = (places.cache / "manifests").glob("*.lock")
    said: list[str] = []
    with lock.open("rb") as held, heard(said.append):
        fcntl.flock(held, fcntl.LOCK_EX)
        assert len(opened(places).catalog.videos) == 3
    assert "reading of root: not waiting any longer for another process" in said[0]


@pytest.mark.slow
def test_who_is_at_work_is_waited_for(tmp_path: Path) -> None:
    store, released = RowStore(tmp_path / "manifests", tmp_path / "root"), threading.Event()
    order, holds = list[str](), threading.Event()

    def work() -> None:
        with store.locked():
            holds.set()
            for _ in range(40):
                store.show_work()
                released.wait(0.1)
            order.append("worked")

    holder = threading.Thread(target=work)
    holder.start()
    holds.wait()
    (lock,) = (tmp_path / "manifests").glob("*.lock")
    with lock.open("rb") as waiting, locked(waiting.fileno(), 3.0, "it", lambda: lock.stat().st_mtime_ns):
        order.append("waited")
    holder.join()
    assert order == ["worked", "waited"]
