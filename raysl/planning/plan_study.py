"""From studies to the work: rows times seeds (times folds) are cells, and equal cells of all studies are one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from raysl.config.cell import CellConfig, with_start
from raysl.config.cells import Cell
from raysl.config.identity import reads
from raysl.errors import ConfigError
from raysl.planning.differences import differences, reference_row
from raysl.planning.folds import parts_of
from raysl.planning.rows import Row
from raysl.planning.study import Study

Factor = str | int | float
"""The value of a key that rows change, for Ray's and TensorBoard's tables of trials."""


def with_seed(config: CellConfig, seed: int) -> CellConfig:
    """The same configuration at another seed, and what it starts from too."""
    seeded = config.model_copy(update={"training": config.training.model_copy(update={"seed": seed})})
    return seeded if config.start is None else with_start(seeded, with_seed(config.start, seed))


def plan_study(study: Study) -> list[Cell]:
    """Rows times seeds, in the table's order; a row on folds is one cell for each fold (`parts_of`).

    Then the trivial rows, at the first seed only: nothing in them is random except the folds that choose a penalty.

    Raises:
        ConfigError: an evaluation would test on videos that another fold is pretrained on.
    """
    cells, ablated = [], factors(study)
    asked = [(row, study.seeds) for row in study.rows] + [(row, study.seeds[:1]) for row in study.trivial]
    for row, seeds in asked:
        try:
            parts = parts_of(row.cell, row.evaluations)
        except ConfigError as error:
            raise ConfigError(f"{study.path}: rows.{row.name}: {error}") from error
        for seed in seeds:
            cells += [
                Cell(with_seed(config, seed), wanted, study.name, row.name, factors=ablated.get(row.name, {}))
                for config, wanted in parts
            ]
    return cells


def factors(study: Study) -> dict[str, dict[str, Factor]]:
    """From row to key to value, for every key that any row changes against the baseline (`reference_row`).

    A key with only numbers has numbers, any other one has texts. A row lacks keys that it does not read (random weights
    have no temperature), and parts of a section that it replaces as a whole.
    """
    reference = reference_row(study.rows, study.options.baseline)
    if reference is None:
        return {}
    changed = {row.name: differences(reference, row) for row in study.rows}
    before = {change.key: change.before for changes in changed.values() for change in changes}
    texts: dict[str, dict[str, str]] = {}
    for row in study.rows:
        own = {change.key: change.after for change in changed[row.name]}
        kept = {key: text for key, text in before.items() if key not in own and _has(row, key, own)}
        texts[row.name] = {key: (own | kept)[key] for key in before if key in own or key in kept}
    numeric = {key for key in before if all(_is_number(row[key]) for row in texts.values() if key in row)}
    return {
        name: {key: json.loads(text) if key in numeric else text for key, text in row.items()}
        for name, row in texts.items()
    }


def _has(row: Row, key: str, changed: Mapping[str, str]) -> bool:
    """Whether the row reads the key, and has the baseline's value of it."""
    if any(f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.") for other in changed):
        return False
    return key.startswith("evaluation.") or reads(row.cell, tuple(key.split(".")))


def _is_number(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)
