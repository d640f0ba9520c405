"""Studies, recipes and scales that come with raysl, found by name from anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.shipped import shipped_folder, shipped_name, shipped_path, shipped_studies
from raysl.errors import ConfigError
from raysl.planning.study import existing, find_studies, load_study, study_name
from tests.planning.studies import write_study
from tests.search_spaces.shipped import SEARCH_SPACES, STUDIES

OWN = """
title: "On what raysl ships"
base: recipes/simclr
data: synthetic
rows:
  plain: {}
  warm: {objective.contrastive.temperature: 0.5}
evaluations: [linear/synthetic]
"""


def test_a_clone_uses_its_own_folder() -> None:
    assert shipped_folder() == SEARCH_SPACES


def test_every_study_is_found_by_the_name_that_it_is_reported_under() -> None:
    assert set(shipped_studies()) == {study_name(path) for path in STUDIES}
    for path in STUDIES:
        assert shipped_path(study_name(path)) == path
        assert shipped_name(path) == study_name(path)


@pytest.mark.parametrize(
    "name", ["absent", "", ".", "..", "../README", "taco/../quickstart", "/taco", "quickstart.yaml"]
)
def test_what_is_no_name_is_not_found(name: str) -> None:
    assert shipped_path(name) is None


def test_a_file_of_the_users_own_has_no_such_name(tmp_path: Path) -> None:
    assert shipped_name(tmp_path / "search_spaces" / "quickstart.yaml") is None


def test_studies_are_found_by_name_and_files_of_that_name_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_studies([Path("taco/table1_single_tasks")]) == [SEARCH_SPACES / "taco" / "table1_single_tasks.yaml"]
    assert len(find_studies([Path("sstl")])) > 5, "a folder of them"
    own = write_study(tmp_path / "sstl")
    assert find_studies([Path("sstl")]) == [own.relative_to(tmp_path)]
    Path("quickstart").write_text(own.read_text())
    assert existing(Path("quickstart")) == Path("quickstart")


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("taco/table1_single_task", "taco/table1_single_tasks"),
        ("table1_single_tasks", "taco/table1_single_tasks"),
        ("search_spaces/quickstart.yaml", "quickstart"),
        ("mine/stdy.yaml", "mine/study.yaml"),
        ("taco/table1", "taco/table1_single_tasks"),
        ("taco/tabel1", "taco/table1_single_tasks"),
    ],
)
def test_a_wrong_name_suggests_the_nearest(
    written: str, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "mine")
    with pytest.raises(ConfigError, match=rf"{written}: there is no such file or folder.* \(did you mean '{near}'\?\)"):
        find_studies([Path(written)])


def test_a_beginning_of_several_names_suggests_them_and_a_name_that_is_near_none_the_list() -> None:
    near = r"\(did you mean 'taco/figure1_plain_and_taco' or 'taco/figure4_transfer' or 'taco/figure5_motion_diff"
    with pytest.raises(ConfigError, match=rf"taco/figure: .*{near}.*; raysl studies lists"):
        find_studies([Path("taco/figure")])
    with pytest.raises(ConfigError, match=r"zzz: there is no .* of this name; raysl studies lists those that there"):
        find_studies([Path("zzz")])


def test_files_are_not_near_each_other_for_their_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, name="tclr")
    with pytest.raises(ConfigError, match=r"other\.yaml: there is no such file .* of this name; raysl studies"):
        find_studies([Path("other.yaml")])


def test_recipes_and_scales_are_found_from_an_empty_folder_and_ones_beside_the_file_win(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    shipped = load_study(path, "smoke")
    assert (shipped.rows[0].cell.backbone.name, shipped.seeds) == ("r3d_18", (0,))
    (tmp_path / "recipes").mkdir()
    recipe = (SEARCH_SPACES / "recipes" / "simclr.yaml").read_text()
    (tmp_path / "recipes" / "simclr.yaml").write_text(recipe.replace("{name: r3d_18, width: 1.0}", "shallow_c3d"))
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "smoke.yaml").write_text("title: mine\nseeds: [5]\n")
    own = load_study(path, "smoke")
    assert (own.rows[0].cell.backbone.name, own.seeds) == ("shallow_c3d", (5,))


@pytest.mark.parametrize("written", ["recipes/simclrr", "recipe/simclr", "simclr"])
def test_a_wrong_base_suggests_what_raysl_ships(written: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("recipes/simclr", written))
    with pytest.raises(ConfigError, match=r"own\.yaml:3: .*or in raysl \(did you mean 'recipes/simclr'\?\)"):
        load_study(path)
