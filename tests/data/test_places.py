from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from raysl.data.places import Places
from raysl.errors import DataError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RAYSL_CACHE", raising=False)
    (tmp_path / "config").mkdir()
    return tmp_path


def test_given_goes_before_environment_before_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config" / "roots.yaml").write_text("a: /file/a\nb: /file/b\nc: /file/c\n")
    monkeypatch.setenv("RAYSL_ROOT_A", "/environment/a")
    monkeypatch.setenv("RAYSL_ROOT_B", "/environment/b")
    places = Places.find({"a": Path("/given/a")})
    assert [str(places.root(name, True)) for name in "abc"] == ["/given/a", "/environment/b", "/file/c"]


def test_a_name_with_dots_and_capitals_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSL_ROOT_MY_LAB_CLIPS", "/clips")
    assert Places.find().root("my_lab.Clips", True) == Path("/clips")


def test_roots_are_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (home / "config" / "roots.yaml").write_text("beside: videos\n")
    places = Places.find({"here": Path("videos"), "home": Path("~/videos")})
    assert places.root("here", True) == home / "videos"
    assert places.root("home", True) == home / "home" / "videos"
    assert places.root("beside", True) == home / "config" / "videos"


def test_no_root_says_all_three_ways(home: Path) -> None:
    with pytest.raises(DataError) as error:
        Places.find().root("ucf101", True)
    assert "'ucf101'" in str(error.value)
    for way in ("--root ucf101=PATH", "RAYSL_ROOT_UCF101=PATH", str(home / "config" / "roots.yaml")):
        assert way in str(error.value)


def test_a_set_that_makes_its_files_lies_in_the_cache(home: Path) -> None:
    places = Places.find(cache=home / "cache")
    assert places.root("synthetic", needs_root=False) == home / "cache" / "data" / "synthetic"
    given = Places.find({"synthetic": home / "mine"})
    assert given.root("synthetic", needs_root=False) == home / "mine"


def test_cache_from_argument_environment_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Places.find().cache == home / "home" / ".cache" / "raysl"
    monkeypatch.setenv("RAYSL_CACHE", str(home / "fast"))
    assert Places.find().cache == home / "fast"
    assert Places.find(cache=home / "faster").cache == home / "faster"


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1, 2]\n", "a: b: c\n", "5: /x\n"])
def test_a_file_that_is_no_mapping_is_named(home: Path, content: str) -> None:
    (home / "config" / "roots.yaml").write_text(content)
    with pytest.raises(DataError, match=r"roots\.yaml"):
        Places.find()


def test_an_empty_file_binds_nothing(home: Path) -> None:
    (home / "config" / "roots.yaml").write_text("# nothing yet\n")
    assert Places.find().roots == {}


def test_pickled_places_are_equal(home: Path) -> None:
    places = Places.find({"a": home})
    assert pickle.loads(pickle.dumps(places)) == places
