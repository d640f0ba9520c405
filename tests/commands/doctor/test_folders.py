"""Roots, cache and store: as they are found, as they refuse, and that nothing of the check stays in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.commands.doctor.finding import DoctorOptions, Finding
from raysl.commands.doctor.folders import cache, roots, store
from raysl.results import open as open_store
from tests.conftest import SERVERS, empty_folder
from tests.data.unprivileged import public_folder, unprivileged


@pytest.fixture(autouse=True)
def no_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without roots of their own; the folder of the user's file."""
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def by_topic(options: DoctorOptions) -> dict[str, Finding]:
    return {one.topic: one for one in roots(options)}


def test_no_root_is_no_fault() -> None:
    assert by_topic(DoctorOptions())["roots"].state == "ok"


def test_roots_of_the_users_file_of_the_environment_and_given(
    tmp_path: Path, no_roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (no_roots / "roots.yaml").write_text(f"ucf101: {tmp_path / 'videos'}\nhmdb51: {tmp_path / 'gone'}\n")
    monkeypatch.setenv("RAYSL_ROOT_MINE", str(tmp_path / "empty"))
    found = by_topic(DoctorOptions(roots=(f"weights={tmp_path / 'videos' / 'a.mp4'}", "far=s3://bucket/videos")))
    states = {topic: one.state for topic, one in found.items()}
    assert states == {
        "root ucf101": "ok",
        "root hmdb51": "failed",
        "root mine": "warning",
        "root weights": "ok",
        "root far": "ok",
    }, found
    assert "No such file" in found["root hmdb51"].text


def test_a_root_that_this_user_may_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        monkeypatch.setenv("RAYSL_CONFIG_HOME", str(folder))
        (folder / "mine").mkdir()
        (folder / "mine").chmod(0o300)
        with unprivileged():
            found = by_topic(DoctorOptions(roots=(f"folder={folder / 'mine'}",), cache=folder))
        (folder / "mine").chmod(0o700)
    assert found["root folder"].state == "failed"
    assert "Permission denied" in found["root folder"].text


def test_a_file_of_roots_that_is_none(no_roots: Path) -> None:
    (no_roots / "roots.yaml").write_text("- a list\n")
    (found,) = roots(DoctorOptions())
    assert (found.state, "NAME: PATH" in found.text) == ("failed", True)


def test_the_cache_has_room_and_keeps_nothing_of_the_check(tmp_path: Path) -> None:
    (found,) = cache(DoctorOptions(cache=tmp_path / "a" / "b"))
    assert found.values["free"] > 0
    assert not (tmp_path / "a").exists()


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder, unprivileged():
        monkeypatch.setenv("RAYSL_CONFIG_HOME", str(folder))
        (found,) = cache(DoctorOptions(cache=folder / "cache"))
    assert (found.state, "RAYSL_CACHE" in found.advice) == ("failed", True)


def test_a_cache_whose_budget_is_more_than_its_disk_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSL_CACHE_GIGABYTES", "900000")
    (found,) = cache(DoctorOptions(cache=tmp_path))
    assert found.state == "warning"
    (found,) = cache(DoctorOptions(cache=tmp_path, cache_gigabytes=0.001))
    assert (found.state, found.values["budget"]) == ("ok", 1e6)


def test_the_store_is_timed_and_keeps_nothing_of_the_check(tmp_path: Path) -> None:
    (found,) = store(DoctorOptions(storage=str(tmp_path / "a" / "store")))
    assert found.state == "ok"
    assert min(found.values[name] for name in ("write", "read", "small_seconds", "free")) > 0
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_a_store_in_a_bucket(server: str, request: pytest.FixtureRequest) -> None:
    address = empty_folder(server, request.getfixturevalue(SERVERS[server]))
    (found,) = store(DoctorOptions(storage=address))
    assert (found.state, found.values["local"], found.values["free"]) == ("ok", False, None), found
    assert open_store(address).place.sizes() == {}


def test_a_store_that_cannot_be_written() -> None:
    with public_folder() as folder, unprivileged():
        (found,) = store(DoctorOptions(storage=str(folder / "store")))
    assert (found.state, "--storage" in found.text) == ("failed", True)


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (found,) = store(DoctorOptions(storage=str(tmp_path / "file")))
    assert (found.state, "is a file" in found.text) == ("failed", True)
