"""Ids: a hash of what determines a result, and of nothing else.

A cell's id covers the fields in use that differ from their defaults, and the versions of the components in use. So a
new option with a default leaves old results valid, and a corrected loss (its component's version raised) does not
reuse stale ones. Options that cannot change a result (paths, worker counts, log intervals) are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from raysl.config.cell import CellConfig, Slot, augmenting_tasks
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.options import Options
from raysl.config.yaml_reader import KeyPath

RANDOM_WEIGHTS_NEED = (("pretraining",), ("clip",), ("backbone",), ("training", "seed"), ("training", "precision"))
"""What defines a backbone that is not trained, and its features (precision): no data, sampler, objective, optimizer."""


@cache
def slot_of(model: type[Options], name: str) -> Slot | None:
    """The slot of a field that chooses components."""
    field = model.model_fields[name]
    candidates = [*field.metadata]
    for alternative in get_args(field.annotation):
        candidates.extend(get_args(alternative)[1:])
    return next((slot for slot in candidates if isinstance(slot, Slot)), None)


def _named(slot: Slot | None, chosen: Chosen) -> dict[str, str]:
    """The key that names a slot's component, ``name`` or ``framework``; nothing where its place says it."""
    return {} if slot is not None and not slot.is_named else {slot.key if slot is not None else "name": chosen.name}


def leaves(options: Options, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every identity-bearing field that differs from its default, and the version of every component and section."""
    if options.version_in_use != 1:
        yield (*path, "@version"), options.version_in_use
    for name, default in _defaults(type(options)).items():
        value, here = getattr(options, name), (*path, name)
        if isinstance(value, Chosen):
            yield from _component_leaves(value, _named(slot_of(type(options), name), value), here)
        elif isinstance(value, dict) and any(isinstance(one, Chosen) for one in value.values()):
            for key, one in value.items():
                yield from _component_leaves(one, {}, (*here, key))
        elif isinstance(value, CellConfig):
            yield here, cell_id(value)
        elif isinstance(value, Options):
            yield from leaves(value, here)
        elif value != default:
            yield here, value


@cache
def _defaults(model: type[Options]) -> dict[str, Any]:
    """Of the fields that bear identity; of a required one, `PydanticUndefined`."""
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
        if not isinstance(field.json_schema_extra, dict) or field.json_schema_extra.get("identity") is not False
    }


def _component_leaves(chosen: Chosen, named: dict[str, str], here: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    yield from (((*here, key), name) for key, name in named.items())
    yield (*here, "@component"), chosen.component.version
    yield from leaves(chosen.options, here)


def _digest(pairs: list[tuple[KeyPath, Any]], size: int) -> str:
    text = json.dumps(sorted((".".join(path), value) for path, value in pairs), ensure_ascii=True, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


SUPERVISED_LEAVES_OUT = ("objective", "sampling")
"""Sections that supervised pretraining does not read, except `_of_labels`."""

SELF_SUPERVISED_LEAVES_OUT = ("supervised",)
"""Sections that self-supervised pretraining does not read."""


def identity(cell: CellConfig) -> list[tuple[KeyPath, Any]]:
    """The data that a cell's id is a hash of."""
    return [(path, value) for path, value in leaves(cell) if reads(cell, path)]


def reads(cell: CellConfig, path: KeyPath) -> bool:
    """Whether a cell's result depends on the value at a path, or on a part of it."""
    if cell.pretraining == "none":
        return any(path[: len(need)] == need[: len(path)] for need in RANDOM_WEIGHTS_NEED)
    if cell.pretraining == "supervised":
        return path[0] not in SUPERVISED_LEAVES_OUT or any(path[: len(own)] == own for own in _of_labels(cell))
    return path[0] not in SELF_SUPERVISED_LEAVES_OUT


def _of_labels(cell: CellConfig) -> list[KeyPath]:
    """What supervised training reads of those sections: augmentation."""
    tasks = augmenting_tasks(cell.objective.pretext)
    return [("sampling", "playback_rates"), *(("objective", "pretext", name) for name in tasks)]


def cell_id(cell: CellConfig) -> str:
    """12 hexadecimal digits; the same on every machine."""
    known = _cell_ids.get(id(cell))
    if known is not None and known[0] is cell:
        return known[1]
    found = _digest(identity(cell), 6)
    if len(_cell_ids) >= MOST_KEPT:
        _cell_ids.clear()
    _cell_ids[id(cell)] = cell, found
    return found


def evaluation_id(evaluation: EvaluationConfig) -> str:
    """``linear-ucf101-1a2b3c4d``: protocol and data set, and a hash of all that determines the evaluation."""
    known = _evaluation_ids.get(id(evaluation))
    if known is not None and known[0] is evaluation:
        return known[1]
    stem = f"{evaluation.protocol.name}-{evaluation.data.name}".replace(".", "_")
    found = f"{stem}-{_digest(list(leaves(evaluation)), 4)}"
    if len(_evaluation_ids) >= MOST_KEPT:
        _evaluation_ids.clear()
    _evaluation_ids[id(evaluation)] = evaluation, found
    return found


MOST_KEPT = 2**15
_cell_ids: dict[int, tuple[CellConfig, str]] = {}
"""A cache for configurations, which are immutable: every cell that starts from one needs its id."""
_evaluation_ids: dict[int, tuple[EvaluationConfig, str]] = {}
"""A cache for evaluations, which are immutable: a report of a thousand cells needs a few hundred ids 20,000 times."""


def resolved(options: Options) -> dict[str, Any]:
    """Every field with its value as plain data; `raysl.config.load.load_cell` reads it back."""
    result: dict[str, Any] = {}
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, Chosen):
            result[name] = {**_named(slot_of(type(options), name), value), **resolved(value.options)}
        elif isinstance(value, dict):
            result[name] = {
                key: resolved(one.options) if isinstance(one, Chosen) else one for key, one in value.items()
            }
        elif isinstance(value, Options):
            result[name] = resolved(value)
        else:
            result[name] = list(value) if isinstance(value, tuple) else value
    return result
