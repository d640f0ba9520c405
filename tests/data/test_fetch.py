"""Data sets at an address: copied once, kept up to date, within a budget."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raysl.config.component import Chosen
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.fetch import fetch, is_fetched, listing, mirror, shown_address, why_not
from raysl.data.places import Places
from raysl.data.source import known_snapshot, open_source
from raysl.errors import DataError
from tests.data.rendered import moving_square, write_set, write_video

DATA = Chosen("data set", "folder", FolderOptions(labels="none"))


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """What is at the address."""
    folder = tmp_path / "bucket" / "my set"
    for name in ("a/1.mp4", "a/2.mp4", "b/1.mp4"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode() * 10)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_is_new_changed_or_gone_there_is_so_here(there: Path, tmp_path: Path) -> None:
    here, copied = mirror(there.as_uri(), tmp_path / "cache"), list[tuple[int, int]]()

    def again(run: str = "") -> None:
        fetch(there.as_uri(), here, 10**6, lambda done, total: copied.append((done, total)), run)

    assert not is_fetched(here)
    again("first")
    assert is_fetched(here)
    assert (is_fetched(here, "first"), is_fetched(here, "second")) == (True, False)
    assert contents(here) == contents(there)
    copied.clear()
    before = listing(there.as_uri())
    again()
    assert copied == [], "nothing changed"
    assert listing(there.as_uri()) == before
    (there / "a/1.mp4").write_bytes(b"other")
    (there / "a/2.mp4").unlink()
    (there / "c.txt").write_bytes(b"new")
    (here / ".killed.part").write_bytes(b"half")
    assert listing(there.as_uri()) != before
    again()
    assert copied == [(2, 3), (3, 3)]
    assert contents(here) == contents(there)


def test_processes_that_ask_at_once_copy_each_file_once(there: Path, tmp_path: Path) -> None:
    here, copied = mirror(there.as_uri(), tmp_path / "cache"), list[int]()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(fetch, there.as_uri(), here, 10**6, lambda done, _: copied.append(done)) for _ in range(4)]
    assert [one.result() for one in asked] == [None] * 4
    assert sorted(copied) == [1, 2, 3]


def test_what_is_larger_than_the_budget_is_refused_before_anything_is_copied(there: Path, tmp_path: Path) -> None:
    here = mirror(there.as_uri(), tmp_path / "cache")
    with pytest.raises(DataError, match=r"its 3 files have .* raise RAYSL_FETCH_GIGABYTES"):
        fetch(there.as_uri(), here, 100)
    assert not here.exists()


@pytest.mark.parametrize(
    "address", [pytest.param("s3://", marks=pytest.mark.slow), "ftp://host/set", "file:///no/such/folder"]
)
def test_an_address_that_cannot_be_read_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{address}.*: cannot be read: .* are address and credentials right"):
        fetch(address, tmp_path / "cache" / "fetched" / "here", 10**6)


def test_what_googles_client_says_is_said_once() -> None:
    info = "error_info={reason=, domain=, metadata={retry.reason=x, retry.original-message=no answer}}"
    why = OSError(f"google::cloud::Status(UNAVAILABLE: with a last message of no answer {info}). Detail: [errno 5]")
    whole = "google::cloud::Status(UNAVAILABLE: with a last message of no answer). Detail: [errno 5]"
    assert why_not(why) == whole


def test_credentials_are_not_shown() -> None:
    assert shown_address("s3://key:secret@bucket/set?endpoint_override=x") == "s3://bucket/set"
    assert mirror("s3://key:secret@bucket/set", Path("/c")).name.startswith("set-")


def test_a_set_at_an_address_is_read_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "bucket" / "set"
    catalog = write_set(root, videos=2)
    local = open_source(DATA, Places.find({"folder": root}, tmp_path / "one"), resize=24).snapshot
    places = Places.find({"folder": root.as_uri()}, tmp_path / "two")
    assert known_snapshot(DATA, places) is None, "nothing is copied to plan"
    assert open_source(DATA, places, resize=24).snapshot.hashes == local.hashes
    assert known_snapshot(DATA, places) is not None
    write_video(root / catalog.videos[0].path, moving_square(9))
    os.utime(root / catalog.videos[0].path, ns=(1, 1))
    assert open_source(DATA, places, resize=24).snapshot.hashes != local.hashes
    monkeypatch.setenv("RAYSL_FETCH_GIGABYTES", "much")
    with pytest.raises(DataError, match=r"RAYSL_FETCH_GIGABYTES=much: give a number"):
        Places.find({"folder": root.as_uri()}, tmp_path / "two")
