"""What several commands are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.commands.inputs import as_argument, load_studies
from raysl.commands.page import run_command
from raysl.commands.roots import find_places
from raysl.errors import ConfigError
from tests.planning.studies import STUDY, write_study
from tests.search_spaces.shipped import SEARCH_SPACES


def test_roots_are_kept_as_they_were_typed(tmp_path: Path) -> None:
    places = find_places([f"Mine={tmp_path}", f"my=set={tmp_path}"], tmp_path)
    assert places.given == ("Mine", "my")
    assert places.roots["mine"] == tmp_path


@pytest.mark.parametrize(
    ("roots", "message"),
    [
        (["ucf101"], "write --root NAME=PATH"),
        (["=x"], "write --root NAME=PATH"),
        (["a="], "write --root NAME=PATH"),
        (["a=/x", "b=/x", "a=/y"], "--root a is given twice, as /x and /y"),
    ],
)
def test_bad_roots_are_refused(roots: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        find_places(roots, tmp_path)


def test_a_study_is_named_as_a_command_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = write_study(tmp_path).relative_to(tmp_path)
    assert as_argument(own) == "study.yaml"
    shipped = SEARCH_SPACES / "taco" / "table1_single_tasks.yaml"
    assert as_argument(shipped) == "taco/table1_single_tasks"
    (planned,) = load_studies([Path("quickstart")], "smoke", [])
    assert run_command(planned) == "raysl run quickstart --scale smoke"
    (tmp_path / "quickstart").mkdir()
    assert as_argument(planned.study.path) == str(SEARCH_SPACES / "quickstart.yaml"), "a folder of this name is here"
    monkeypatch.chdir(SEARCH_SPACES.parent)
    assert run_command(planned) == "raysl run search_spaces/quickstart.yaml --scale smoke", "the clone's own file"


def test_a_figure_of_another_package_is_looked_for_before_anything_is_computed(tmp_path: Path) -> None:
    own = write_study(tmp_path, f"{STUDY}\nfigures: [tests.reports.figures.own_figure]\n", name="own")
    (planned,) = load_studies([own], None, [])
    assert planned.study.options.figures == ("tests.reports.figures.own_figure",)
    absent = write_study(tmp_path, f"{STUDY}\nfigures: [tests.absent]\n", name="absent")
    with pytest.raises(ConfigError, match=r"absent\.yaml: figures: figure 'tests\.absent': there is no module"):
        load_studies([absent], None, [])
