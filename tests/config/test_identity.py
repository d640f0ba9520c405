"""Ids: what defines a result, under golden values."""

from __future__ import annotations

from typing import ClassVar

import pytest
import yaml

from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, Chosen, find, names
from raysl.config.identity import cell_id, evaluation_id, identity, leaves, resolved
from raysl.config.load import cell_from, evaluation_from
from raysl.config.objective_sections import MemoryOptions, ProjectorOptions, SupervisedOptions
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions, LearningRate, TemporalOptions, TrainingOptions
from tests.cells import GOLDEN, tiny_cell, tiny_evaluation


def test_golden_ids() -> None:
    """A changed id means that stored results are orphaned: raise a version on purpose, never by accident."""
    golden = yaml.safe_load(GOLDEN.read_text())["ids"]
    found = {
        "tiny": cell_id(tiny_cell()),
        "random": cell_id(tiny_cell({"pretraining": "none"})),
        "temperature": cell_id(tiny_cell({"objective.contrastive.temperature": 0.5})),
        "linear": evaluation_id(tiny_evaluation("linear")),
        "retrieval": evaluation_id(tiny_evaluation("retrieval")),
    }
    assert found == golden


SECTIONS = (
    CellConfig,
    ClipOptions,
    LearningRate,
    MemoryOptions,
    ProjectorOptions,
    SupervisedOptions,
    TemporalOptions,
    TrainingOptions,
)


def defaults(model: type[Options]) -> dict[str, object]:
    fields = {name: field for name, field in model.model_fields.items() if not field.is_required()}
    return {
        name: plain(field.default)
        for name, field in fields.items()
        if not (isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("identity") is False)
    }


def plain(value: object) -> object:
    """A default as YAML holds it."""
    if isinstance(value, Chosen):
        return {"name": value.name, **resolved(value.options)}
    return resolved(value) if isinstance(value, Options) else value


def current_defaults() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {
        f"section {model.__name__}@{model.version}": defaults(model) for model in SECTIONS
    }
    for kind in KINDS:
        for name in names(kind):
            component = find(kind, name)
            found[f"{kind} {name}@{component.version}.{component.options.version}"] = defaults(component.options)
    return found


def test_a_changed_default_needs_a_raised_version() -> None:
    """New options may appear; what stands in the golden file for the same version may not change or go."""
    golden = yaml.safe_load(GOLDEN.read_text())["defaults"]
    current = yaml.safe_load(yaml.safe_dump(current_defaults()))
    for component, fields in golden.items():
        if component in current:
            assert known_part(current[component], fields) == fields, component


def known_part(value: object, known: object) -> object:
    """Of mappings within mappings, the keys that ``known`` has."""
    if not isinstance(value, dict) or not isinstance(known, dict):
        return value
    return {name: known_part(value.get(name, "gone"), inner) for name, inner in known.items()}


def test_every_component_of_now_stands_in_the_golden_file() -> None:
    golden = yaml.safe_load(GOLDEN.read_text())["defaults"]
    for component, fields in current_defaults().items():
        assert component in golden, f"add {component} to {GOLDEN.name}: python -m tests.golden"
        assert set(fields) <= set(golden[component]), f"new options of {component}: python -m tests.golden"


class Before(Options):
    width: float = option(1.0, doc="width", source="test", gt=0)


class After(Before):
    dropout: float = option(0.0, doc="new", source="test", ge=0)


class Raised(Before):
    version: ClassVar[int] = 2


def test_a_new_option_with_a_default_changes_nothing_and_a_raised_version_does() -> None:
    assert list(leaves(Before(width=0.5))) == list(leaves(After(width=0.5)))
    assert list(leaves(Before())) != list(leaves(Raised()))
    assert list(leaves(After(dropout=0.1))) == [(("dropout",), 0.1)]


@pytest.mark.parametrize(
    "change",
    [
        {"training.workers": 2},
        {"training.loader_workers": 3},
        {"training.threads": 2},
        {"training.log_steps": 10},
        {"training.checkpoint_steps": 1},
        {"training.max_unreadable": 0.5},
        {"training.monitor.points": 0},
        {"training.monitor.videos": 8},
    ],
)
def test_what_cannot_change_a_result_does_not_change_the_id(change: dict[str, object]) -> None:
    assert cell_id(tiny_cell(change)) == cell_id(tiny_cell())


@pytest.mark.parametrize(
    "change",
    [
        {"training.seed": 1},
        {"training.batch_size": 16},
        {"clip.input": "difference"},
        {"sampling.pair": {"name": "same"}},
        {"augment.temporally_consistent": False},
        {"optimizer.weight_decay": 0.5},
    ],
)
def test_what_changes_a_result_changes_the_id(change: dict[str, object]) -> None:
    assert cell_id(tiny_cell(change)) != cell_id(tiny_cell())


def test_random_rows_are_one_cell_whatever_their_objective_optimizer_or_data() -> None:
    random = tiny_cell({"pretraining": "none"})
    other = tiny_cell(
        {
            "pretraining": "none",
            "objective.contrastive.temperature": 0.5,
            "optimizer.weight_decay": 0.5,
            "training.batch_size": 16,
            "sampling.pair": {"name": "same"},
            "data.test_per_class": 20,
        }
    )
    assert cell_id(random) == cell_id(other)
    assert cell_id(random) != cell_id(tiny_cell({"pretraining": "none", "training.seed": 1}))
    assert cell_id(random) != cell_id(tiny_cell({"pretraining": "none", "backbone.width": 0.125}))


def test_a_resolved_cell_reads_back_as_itself() -> None:
    cell = tiny_cell()
    text = yaml.safe_dump(resolved(cell))
    again = cell_from(yaml.safe_load(text), "test")
    assert isinstance(again, CellConfig)
    assert again == cell
    assert identity(again) == identity(cell)
    evaluation = tiny_evaluation("linear")
    assert evaluation_from(resolved(evaluation), "test") == evaluation
