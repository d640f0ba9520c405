"""What rows change against one another, and what a scale and ``--set`` changed, from the resolved configurations."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raysl.config.cell import CellConfig
from raysl.config.cells import evaluation_key
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id, leaves, reads
from raysl.config.options import Options
from raysl.config.scale import AS_WRITTEN, Scale
from raysl.config.yaml_reader import KeyPath, Tree
from raysl.planning.designs import Design, resolve_change
from raysl.planning.rows import Row, resolve_row

if TYPE_CHECKING:
    from raysl.planning.study import Study

LONGEST = 60
"""Characters of a value that are shown."""
SEED = ("training", "seed")
"""Keys that no row changes: seeds are paired across rows."""


@dataclass(frozen=True)
class Change:
    """One value that differs; ``before`` and ``after`` as people read them."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key} {self.before} → {self.after}"


@dataclass(frozen=True)
class AppliedChanges:
    """What the scale and ``--set`` changed of a study.

    Attributes:
        own: what the scale changed of values that the study's file sets itself.
        inherited: what else the scale changed.
        overrides: ``--set`` as typed.
        overridden: what ``--set`` changed.
        merged: labels of evaluations that the scale or ``--set`` made one: their columns have the same numbers.
    """

    own: tuple[Change, ...] = ()
    inherited: tuple[Change, ...] = ()
    overrides: tuple[str, ...] = ()
    overridden: tuple[Change, ...] = ()
    merged: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Differences:
    """The differences of a study that are printed with its numbers.

    Attributes:
        reference: the row that others are compared with; None if a study has no rows.
        rows: from row to what it changes; nothing for the reference itself.
        given: what the scale and ``--set`` changed of the reference.
    """

    reference: str | None
    rows: Mapping[str, tuple[Change, ...]]
    given: AppliedChanges = field(default_factory=AppliedChanges)


def describe_differences(study: Study) -> Differences:
    """What each row of a study changes against its baseline (without one, against its first row that is trained)."""
    reference, given = reference_row(study.rows, study.options.baseline), study.given
    if study.seeds != study.options.seeds:
        seeds = Change("seeds", _text(study.options.seeds, False, False), _text(study.seeds, False, False))
        given = replace(given, own=(seeds, *given.own))
    if reference is None:
        return Differences(None, {}, given)
    return Differences(reference.name, {row.name: differences(reference, row) for row in study.rows}, given)


def applied_lines(given: AppliedChanges, scale: str, mark: Callable[[str], str] = str) -> list[str]:
    """What the scale and ``--set`` changed, a sentence each; nothing if neither was used.

    Args:
        mark: formats each change, and what was typed.
    """

    def listed(changes: Sequence[Change]) -> str:
        return ", ".join(mark(str(change)) for change in changes)

    lines = []
    if given.own:
        lines.append(f"Scale {scale} changes what the study itself sets: {listed(given.own)}.")
    if given.inherited:
        lines.append(f"Scale {scale} changes what the study inherits: {listed(given.inherited)}.")
    if given.overrides:
        typed = " ".join(mark(f"--set {override}") for override in given.overrides)
        lines.append(f"Given {typed}{', which changes ' if given.overridden else ''}{listed(given.overridden)}.")
    for labels in given.merged:
        lines.append(f"So {', '.join(map(mark, labels))} are one evaluation here: their columns hold the same numbers.")
    return lines


def reference_row(rows: Sequence[Row], baseline: str | None) -> Row | None:
    """The baseline; without one the first row that is trained, or the first."""
    named = [row for row in rows if row.name == baseline]
    trained = [row for row in rows if row.cell.pretraining != "none"]
    return next(iter([*named, *trained, *rows]), None)


def differences(before: Row, after: Row, *, unread: bool = False) -> tuple[Change, ...]:
    """The values of ``after`` that differ and enter its id.

    Args:
        unread: also those of sections that ``after`` does not read, as a backbone with random weights reads no
            objective.
    """
    found = [
        change
        for path, change in _compared(before.cell, after.cell, ())
        if path != SEED and (unread or reads(after.cell, path))
    ]
    for own, other in zip(before.evaluations, after.evaluations, strict=True):
        found += _evaluations(own, other)
    return tuple(dict.fromkeys(found))


def _evaluations(before: EvaluationConfig, after: EvaluationConfig) -> Iterator[Change]:
    """Options of protocols by name, so that one that is used on two data sets is printed once."""
    name = before.label.partition("/")[0]
    for _, change in _compared(before.protocol, after.protocol, ("evaluation", name)):
        yield change
    for _, change in _compared(before.data, after.data, ("evaluation", before.label)):
        yield change


def _compared(before: Any, after: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Change]]:
    """The values that differ below a path; whole components if another one is chosen."""
    if isinstance(before, Chosen) and isinstance(after, Chosen) and before.name == after.name:
        before, after = before.options, after.options
    if path[-2:] == ("init", "from"):  # a name before all rows of a study are resolved, which then is a configuration
        ids = [cell_id(one) if isinstance(one, CellConfig) else None for one in (before, after)]
        if None not in ids and ids[0] != ids[1]:
            yield path, Change(".".join(path), f"cell {ids[0]}", f"cell {ids[1]}")
    elif isinstance(before, Options) and type(before) is type(after):
        for name, field in type(before).model_fields.items():
            extra = field.json_schema_extra
            if not isinstance(extra, dict) or extra.get("identity") is not False:
                yield from _compared(getattr(before, name), getattr(after, name), (*path, name))
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _compared(before.get(name), after.get(name), (*path, name))
    elif before != after:
        section = any(isinstance(value, Chosen | Options) for value in (before, after))
        yield path, Change(".".join(path), _text(before, section, False), _text(after, section, True))


def _text(value: Any, section: bool, with_options: bool) -> str:
    """A value on one side of the arrow; a component by its name, or ``on`` if its key names it."""
    if section and value is None:
        return "off"
    if isinstance(value, Chosen | Options):
        name = value.name if isinstance(value, Chosen) and value.kind not in ("temporal loss", "pretext task") else "on"
        options = value.options if isinstance(value, Chosen) else value
        own = [(path, one) for path, one in leaves(options) if not path[-1].startswith("@")]
        shown = ", ".join(f"{'.'.join(path)} {_plain(one)}" for path, one in own)
        return f"{name} ({_short(shown)})" if shown and with_options else name
    return _short(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(_plain(one) for one in value)}]"
    return str(value) if isinstance(value, str) else json.dumps(value, default=str)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def applied_changes(
    design: Design, row: Row | None, scale: Scale, file: Tree, overrides: Sequence[str]
) -> AppliedChanges:
    """What the scale and ``--set`` changed of one row.

    Args:
        design: of the study.
        row: with both.
        file: the study as it was read, without ``--set``.
        overrides: as they were typed.
    """
    if row is None or (scale is AS_WRITTEN and not overrides):
        return AppliedChanges()
    scaled = _without_overrides(design, row.name, scale) if overrides else row
    own: list[Change] = []
    inherited: list[Change] = []
    written = _without_overrides(design, row.name, AS_WRITTEN) if scale is not AS_WRITTEN else scaled
    for change in differences(written, scaled, unread=True):
        origin = file.origins.get(tuple(change.key.split(".")))
        (own if origin is not None and origin.file == file.origins[()].file else inherited).append(change)
    overridden = differences(scaled, row, unread=True)
    return AppliedChanges(tuple(own), tuple(inherited), tuple(overrides), overridden, _merged(written, row))


def _merged(written: Row, row: Row) -> tuple[tuple[str, ...], ...]:
    """Labels of evaluations that are one in ``row`` and several as written."""
    alike: dict[str, dict[str, str]] = {}
    for before, after in zip(written.evaluations, row.evaluations, strict=True):
        alike.setdefault(evaluation_key(after), {})[after.label] = evaluation_key(before)
    return tuple(tuple(labels) for labels in alike.values() if len(set(labels.values())) > 1)


def _without_overrides(design: Design, name: str, scale: Scale) -> Row:
    rows = design.document.data.get("rows") or {}
    while "same_as" in (rows.get(name) or {}):
        name = rows[name]["same_as"]
    document = design.document_of(name)
    if name not in rows:  # the base of a search, which has no rows
        return resolve_change(document, name, {}, scale)
    return resolve_row(document, name, scale, Tree({}, {(): document.origins[()]}))


def report_name(study: str, scale: str | None, overrides: Tree) -> str:
    """The folder of a study's report, so that no scale and no ``--set`` replaces another's table.

    ``cvrl/table9`` as the study is written; ``cvrl/table9/laptop`` at a scale; with ``--set`` for instance
    ``cvrl/table9/laptop-set-epochs-2-1a2b3c``: the last pieces of the keys, their values, and a hash of all of it.
    """
    if not overrides.data:
        return study if scale is None else f"{study}/{_slug(Path(scale).stem)}"
    text = json.dumps(overrides.data, sort_keys=True, default=str)
    values = sorted(f"{path[-1]}-{value}" for path, value in _values(overrides.data))
    shown = _slug("-".join(values))[:40].strip("-")
    digest = hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
    return f"{study}/{'' if scale is None else f'{_slug(Path(scale).stem)}-'}set-{shown}-{digest}"


def _values(data: Mapping[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _values(value, (*at, key))
        else:
            yield (*at, key), value


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
