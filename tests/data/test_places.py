from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from raysl.config.component import Chosen
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.catalogs.synthetic import SyntheticOptions
from raysl.data.places import Places, bound, used_names
from raysl.errors import DataError


def folder(name: str | None = None) -> Chosen:
    return Chosen("data set", "folder", FolderOptions(), name)


def synthetic(name: str | None = None, **options: int) -> Chosen:
    return Chosen("data set", "synthetic", SyntheticOptions(**options), name)


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
    assert [str(bound(places.roots, name)) for name in "abc"] == ["/given/a", "/environment/b", "/file/c"]


@pytest.mark.parametrize("name", ["my_lab.Clips", "my-lab clips", "MY_LAB/CLIPS"])
def test_a_name_that_no_variable_can_have_is_found_in_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYSL_ROOT_MY_LAB_CLIPS", "/clips")
    assert bound(Places.find().roots, name) == Path("/clips")


def test_roots_are_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (home / "config" / "roots.yaml").write_text("beside: videos\n")
    roots = Places.find({"here": Path("videos"), "home": Path("~/videos")}).roots
    assert roots["here"] == home / "videos"
    assert roots["home"] == home / "home" / "videos"
    assert roots["beside"] == home / "config" / "videos"


def test_two_folders_of_one_reader(home: Path) -> None:
    for name in "abc":
        (home / name).mkdir()
    places = Places.find({"first": home / "a", "folder": home / "c", "second": home / "b"})
    assert places.root(folder("first")) == home / "a"
    assert places.root(folder("second")) == home / "b"
    assert places.root(folder("third")) == home / "c", "the reader's name serves where the set's own is not bound"
    assert places.root(folder()) == home / "c"


def test_no_root_says_all_ways(home: Path) -> None:
    with pytest.raises(DataError) as error:
        Places.find().root(folder())
    for way in ("'folder'", "--root folder=PATH", "RAYSL_ROOT_FOLDER=PATH", str(home / "config" / "roots.yaml")):
        assert way in str(error.value)
    with pytest.raises(DataError) as error:
        Places.find({"min": home}).root(folder("mine"))
    for way in ("'mine'", "--root mine=PATH", "--root folder=PATH", "RAYSL_ROOT_MINE=PATH", "with --root: min"):
        assert way in str(error.value)


def test_a_root_that_is_no_folder_is_refused_by_the_name_that_it_is_bound_to(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    with pytest.raises(DataError, match=r"'mine': its root \S+/gone does not exist; correct --root mine"):
        Places.find({"mine": home / "gone"}).root(folder("mine"))
    with pytest.raises(DataError, match=r"'mine': its root \S+/file is not a folder; correct --root folder"):
        Places.find({"folder": home / "file"}).root(folder("mine"))
    monkeypatch.setenv("RAYSL_ROOT_MINE", str(home / "file"))
    with pytest.raises(DataError, match=r"correct RAYSL_ROOT_MINE or 'mine' in \S+roots\.yaml"):
        Places.find().root(folder("mine"))


def test_a_set_that_makes_its_files_lies_in_the_cache(home: Path) -> None:
    places = Places.find(cache=home / "cache")
    assert places.root(synthetic()) == places.root(synthetic("tiny")) == home / "cache" / "data" / "synthetic"
    assert Places.find({"synthetic": home / "mine"}).root(synthetic("tiny")) == home / "mine"
    assert Places.find({"tiny": home / "mine"}).root(synthetic("tiny")) == home / "mine"


def test_names_with_other_options_do_not_share_what_is_rendered(home: Path) -> None:
    places = Places.find(cache=home / "cache")
    tiny = {"classes": 2, "train_per_class": 1, "test_per_class": 1, "frames": 3, "height": 16, "width": 16}
    catalogs = {}
    for name, seed in (("one", 0), ("two", 1)):
        chosen = synthetic(name, **tiny, render_seed=seed)
        reader, root = chosen.build(), places.root(chosen)
        reader.prepare(root)
        catalogs[name] = {root / video.path: (root / video.path).read_bytes() for video in reader.read(root).videos}
    assert len(catalogs["one"].keys() | catalogs["two"].keys()) == 8
    assert all(file.read_bytes() == content for file, content in catalogs["one"].items())


def test_names_from_the_command_line_are_kept_apart(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSL_ROOT_OTHER", "/other")
    places = Places.find({"Mine": home, "folde": home, "weights": home})
    assert places.given == ("Mine", "folde", "weights")
    assert places.unused({*used_names([folder("mine"), synthetic("tiny")]), "weights"}) == ["folde"]
    assert places.unused(used_names([folder("mine")])) == ["folde", "weights"]


def test_what_tells_two_sets_with_equal_options_apart() -> None:
    assert folder("a").source_name != folder("b").source_name
    assert folder().source_name == "folder"
    assert synthetic("a").source_name == synthetic().source_name, "equal options make equal files"


def test_two_names_that_are_one_are_refused(home: Path) -> None:
    with pytest.raises(DataError, match=r"--root: 'my-set' and 'My_Set' are one name"):
        Places.find({"my-set": home, "My_Set": home})
    (home / "config" / "roots.yaml").write_text("a.b: /x\na_b: /y\n")
    with pytest.raises(DataError, match=r"roots\.yaml: 'a\.b' and 'a_b' are one name"):
        Places.find()


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


def test_without_a_home_the_cache_must_be_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    for variable in ("HOME", "RAYSL_CONFIG_HOME"):
        monkeypatch.delenv(variable)
    with pytest.raises(DataError, match="no home folder: set HOME, or give --cache or RAYSL_CACHE a folder"):
        Places.find({})
    assert Places.find({"a": home}, home / "cache").roots == {"a": home}
    monkeypatch.setenv("RAYSL_CACHE", str(home / "named"))
    assert Places.find({}).cache == home / "named"


def test_the_budget_from_argument_environment_default(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Places.find().cache_gigabytes == 20
    monkeypatch.setenv("RAYSL_CACHE_GIGABYTES", "3.5")
    assert Places.find().cache_gigabytes == 3.5
    assert Places.find(cache_gigabytes=0).cache_gigabytes == 0
    with pytest.raises(DataError, match=r"cache_gigabytes=-1\.0: give a number of gigabytes"):
        Places.find(cache_gigabytes=-1.0)
