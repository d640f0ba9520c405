"""Supervised cells: what their id is made of, and what they do not need."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.identity import cell_id, identity, resolved
from raysl.config.load import cell_from, resolve_cell
from raysl.config.yaml_reader import parse_tree
from raysl.errors import ConfigError
from tests.cells import TINY, tiny_cell

SUPERVISED = {"pretraining": "supervised"}
BARE = "\n".join(line for line in TINY.splitlines() if not line.startswith(("sampling", "objective")))


@pytest.mark.parametrize(
    "change",
    [
        {"sampling.pair": {"name": "same"}},
        {"objective.contrastive.temperature": 0.5},
        {"objective.contrastive": None},
    ],
    ids=str,
)
def test_neither_sampling_nor_objective_is_of_a_supervised_cell(change: dict[str, Any]) -> None:
    assert cell_id(tiny_cell(SUPERVISED | change)) == cell_id(tiny_cell(SUPERVISED))
    if change != {"objective.contrastive": None}:
        assert cell_id(tiny_cell(change)) != cell_id(tiny_cell())


TURNED = {"objective.pretext": {"rotation": {"view": "pair", "supervise": False}}}


@pytest.mark.parametrize("change", [{"sampling.playback_rates": [1, 2]}, TURNED], ids=str)
def test_augmentation_by_the_tasks_vocabulary_is(change: dict[str, Any]) -> None:
    """A task's augmentation without the task, where nothing is pretrained on it (CSTP Table 1)."""
    plain, changed = tiny_cell(SUPERVISED), tiny_cell(SUPERVISED | change)
    assert cell_id(changed) != cell_id(plain)
    paths = {".".join(path) for path, _ in set(identity(changed)) ^ set(identity(plain))}
    assert all(path.startswith(tuple(change)) for path in paths)
    assert cell_id(cell_from(resolved(changed), "again")) == cell_id(changed)


@pytest.mark.parametrize(
    "task", [{"rotation": {"view": "pair"}}, {"rotation": {}}, {"reverse": {"supervise": False}}], ids=str
)
def test_a_task_that_is_a_term_or_has_a_view_of_its_own_is_not(task: dict[str, Any]) -> None:
    assert cell_id(tiny_cell(SUPERVISED | {"objective.pretext": task})) == cell_id(tiny_cell(SUPERVISED))


def test_the_keys_may_be_absent() -> None:
    cell = resolve_cell(parse_tree(BARE + "\npretraining: supervised", "bare"))
    assert cell_id(cell) == cell_id(tiny_cell(SUPERVISED))
    assert cell_from(resolved(cell), "again") == cell
    random = resolve_cell(parse_tree(BARE + "\npretraining: none", "bare"))
    assert cell_id(random) == cell_id(tiny_cell({"pretraining": "none"}))


def test_self_supervised_pretraining_needs_both() -> None:
    with pytest.raises(ConfigError, match=r"sampling\.pair: this key is required"):
        resolve_cell(parse_tree(BARE, "bare"))
    with pytest.raises(ConfigError, match="has no term"):
        tiny_cell({"objective.contrastive": None})


@pytest.mark.parametrize(
    "change",
    [
        {"supervised.dropout": 0.5},
        {"supervised.feature_norm": "l2"},
        {"supervised.label_smoothing": 0.1},
        {"data.classes": 3},
        {"clip.stride": 3},
        {"augment": "none"},
        {"backbone.width": 0.125},
        {"optimizer": {"name": "sgd", "learning_rate": {"value": 0.1, "at_batch": 8}}},
        {"schedule": "constant"},
        {"training.seed": 1},
        {"batch_norm_group": 4},
    ],
    ids=str,
)
def test_all_else_is(change: dict[str, Any]) -> None:
    assert cell_id(tiny_cell(SUPERVISED | change)) != cell_id(tiny_cell(SUPERVISED))


@pytest.mark.parametrize("pretraining", ["self_supervised", "none"])
def test_the_classifier_is_of_no_other_cell(pretraining: str) -> None:
    plain, changed = (tiny_cell({"pretraining": pretraining, "supervised.dropout": share}) for share in (0.0, 0.5))
    assert cell_id(plain) == cell_id(changed)
    assert not [path for path, _ in identity(changed) if path[0] == "supervised"]


def test_three_ways_of_pretraining_are_three_cells() -> None:
    assert len({cell_id(tiny_cell({"pretraining": way})) for way in ("self_supervised", "supervised", "none")}) == 3
