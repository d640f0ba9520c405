"""What several commands are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.commands.inputs import find_places, load_studies
from raysl.errors import ConfigError
from tests.planning.studies import STUDY, write_study


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


def test_a_figure_of_another_package_is_looked_for_before_anything_is_computed(tmp_path: Path) -> None:
    own = write_study(tmp_path, f"{STUDY}\nfigures: [tests.reports.figures.own_figure]\n", name="own")
    (planned,) = load_studies([own], None, [])
    assert planned.study.options.figures == ("tests.reports.figures.own_figure",)
    absent = write_study(tmp_path, f"{STUDY}\nfigures: [tests.absent]\n", name="absent")
    with pytest.raises(ConfigError, match=r"absent\.yaml: figures: figure 'tests\.absent': there is no module"):
        load_studies([absent], None, [])
