"""The ablated factors of a study, and the value that each row has of them: what dashboards show as its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from raysl.config.identity import reads
from raysl.planning.differences import differences, reference_row
from raysl.planning.rows import Row

if TYPE_CHECKING:
    from raysl.planning.study import Study

Factor = str | int | float


def factors(study: Study) -> dict[str, dict[str, Factor]]:
    """Row to key to value, of every key that any row changes against the baseline (`reference_row`).

    A key whose values are all numbers has numbers, any other one texts. A row lacks what it does not read (random
    weights no temperature), and parts of a section that it replaces as a whole.
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
