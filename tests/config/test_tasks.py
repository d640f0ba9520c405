"""Pretext tasks that cannot stand together, do nothing, or come from elsewhere: told when a cell is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raysl.config.cell import chosen_terms
from raysl.config.identity import cell_id, resolved
from raysl.config.load import cell_from
from raysl.config.scale import Scale, multiply
from raysl.errors import ConfigError
from raysl.planning.study import load_study
from tests.cells import TINY, tiny_cell
from tests.objectives.outside import FADE, FOLDER

PAIR: dict[str, Any] = {"view": "pair"}


def with_tasks(**tasks: Any) -> dict[str, Any]:
    return {"objective.pretext": tasks}


@pytest.fixture
def second_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of its own whose task turns clips too."""
    package = tmp_path / "turning_lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "turns.py").write_text("from raysl.objectives.pretext.rotation import COMPONENT\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "turning_lab.turns"


class TestConflicts:
    def test_two_tasks_that_set_the_same_of_one_view_are_both_named(self, second_rotation: str) -> None:
        both = {"rotation": PAIR, second_rotation: PAIR}
        with pytest.raises(
            ConfigError, match=rf"rotation and {second_rotation} both set the angle of the view 'query'"
        ):
            tiny_cell(with_tasks(**both))

    def test_also_where_neither_is_a_term_or_nothing_is_trained(self, second_rotation: str) -> None:
        both = {"rotation": PAIR | {"supervise": False}, second_rotation: PAIR | {"supervise": False}}
        for pretraining in ("self_supervised", "none"):
            with pytest.raises(ConfigError, match="both set the angle"):
                tiny_cell({"pretraining": pretraining, **with_tasks(**both)})

    def test_two_tasks_that_make_a_view_of_one_name(self, second_rotation: str) -> None:
        with pytest.raises(ConfigError, match=rf"rotation and {second_rotation} both make a view 'rotation'"):
            tiny_cell(with_tasks(**{"rotation": {}, second_rotation: {}}))

    @pytest.mark.parametrize(
        "tasks",
        [
            {"rotation": PAIR, "reverse": PAIR},
            {"rotation": {}, "reverse": {}, "shuffle": {}, "speed": {}},
            {"rotation": PAIR, "reverse": {}},
        ],
        ids=lambda tasks: "-".join(tasks),
    )
    def test_what_does_not_meet_stands_together(self, tasks: dict[str, Any]) -> None:
        assert list(tiny_cell(with_tasks(**tasks)).objective.pretext) == sorted(tasks)

    def test_when_a_study_is_loaded(self, tmp_path: Path, second_rotation: str) -> None:
        study = tmp_path / "study.yaml"
        rows = f"rows: {{both: {{objective.pretext: {{rotation: {{view: pair}}, {second_rotation}: {{view: pair}}}}}}}}"
        study.write_text(f"title: two turns\n{TINY}\n{rows}\nevaluations: [linear/synthetic]\n")
        with pytest.raises(ConfigError, match=rf"rotation and {second_rotation} both set the angle"):
            load_study(study)


class TestNothingReadsIt:
    @pytest.mark.parametrize("name", ["reverse", "shuffle"])
    def test_a_view_without_answer_and_without_contrast_is_refused(self, name: str) -> None:
        off = {"supervise": False, "contrast": False}
        with pytest.raises(ConfigError, match=rf"pretext\.{name} does nothing: .*supervise is false, and contrast is"):
            tiny_cell(with_tasks(**{name: off}))

    def test_also_where_no_framework_could_contrast_it(self) -> None:
        tasks = {"reverse": {"supervise": False}, "rotation": {}}
        with pytest.raises(ConfigError, match=r"pretext\.reverse does nothing: .*there is no framework to contrast it"):
            tiny_cell({"objective.contrastive": None, **with_tasks(**tasks)})

    @pytest.mark.parametrize(
        "options", [{"supervise": False}, {"contrast": False}, {"view": "pair", "supervise": False}], ids=str
    )
    def test_one_use_is_enough(self, options: dict[str, Any]) -> None:
        cell = tiny_cell(with_tasks(reverse=options))
        assert ("reverse" in chosen_terms(cell.objective)) == options.get("supervise", True)

    def test_a_framework_that_contrasts_no_such_views(self) -> None:
        windows = {
            "sampling.windows": {"name": "global_local", "local_clips": 2, "skips": [2]},
            "clip": {"frames": 8, "stride": 1},
            "backbone": {"name": "r3d_18", "width": 0.0625, "last_stage_time": "kept"},
            "objective.projector": {"output_dim": 16},
            "objective.contrastive": {"framework": "tclr_released"},
        }
        with pytest.raises(
            ConfigError, match=r"pretext\.reverse.*tclr_released does not contrast tasks' views.*contrast: fal"
        ):
            tiny_cell({**windows, **with_tasks(reverse={})})
        tiny_cell({**windows, **with_tasks(reverse={"contrast": False})})

    def test_tasks_alone_are_an_objective_and_no_tasks_are_none(self) -> None:
        alone = tiny_cell({"objective.contrastive": None, **with_tasks(rotation={}, reverse={})})
        assert list(chosen_terms(alone.objective)) == ["reverse", "rotation"]
        with pytest.raises(ConfigError, match="has no term"):
            tiny_cell({"objective.contrastive": None, **with_tasks(rotation=PAIR | {"supervise": False})})


class TestImportPaths:
    @pytest.fixture(autouse=True)
    def on_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(FOLDER)

    def test_a_task_of_another_package_is_read_back_as_it_was(self) -> None:
        cell = tiny_cell(with_tasks(**{FADE: {"weight": 0.5}}))
        assert list(chosen_terms(cell.objective)) == ["contrastive", FADE]
        assert cell_from(resolved(cell), "again") == cell
        ids = {cell_id(tiny_cell(with_tasks(**{FADE: {"weight": weight}}))) for weight in (0.5, 1.0, 2.0)}
        assert cell_id(cell) in ids
        assert len(ids) == 3

    def test_a_scales_factor_finds_its_option(self) -> None:
        data = resolved(tiny_cell(with_tasks(**{FADE: {"head": {"hidden_layers": 1, "hidden_dim": 64}}})))
        multiply(data, Scale(multiply={f"objective.pretext.{FADE}.head.hidden_dim": {"by": 0.25}}))
        assert data["objective"]["pretext"][FADE]["head"]["hidden_dim"] == 16

    @pytest.mark.parametrize("value", [{"colour": {}}, {"tasks": {"colour": {"weight": 2}}}, {"colour": None}], ids=str)
    def test_a_path_that_a_dotted_key_took_apart(self, value: dict[str, Any]) -> None:
        with pytest.raises(
            ConfigError, match=r"unknown pretext task 'lab'.*inside the mapping, objective\.pretext: \{"
        ):
            tiny_cell({"objective.pretext.lab": value})

    def test_no_module_of_this_name(self) -> None:
        with pytest.raises(ConfigError, match=r"no_such_lab\.colour.*no module of this name"):
            tiny_cell(with_tasks(**{"no_such_lab.colour": {}}))
