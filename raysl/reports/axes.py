"""Numeric axes: the numbers that rows of a study, or its evaluations, differ in, for curves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysl.config.evaluation import EvaluationConfig
from raysl.planning.differences import Change, Differences
from raysl.reports.input import Column
from raysl.results.frame import flatten

LEAST_POINTS = 3
"""The least points of a curve: two points are a difference."""

UNITS = {
    "training.epochs": "epochs",
    "training.steps": "steps",
    "training.batch_size": "videos",
    "label_fraction": "share of labels",
    "clips": "clips of a video",
    "clip.frames": "frames",
    "clip.stride": "frames",
    "clip.size": "pixels",
}
"""Units by the end of a key."""

MEASURED_AT = {
    "R": "neighbours looked at",
    "augmented": "more frames than the clip's (share)",
    "distance": "distance in time (share of the video)",
    "steps": "time steps apart",
}
"""The number after the @ of a metric."""


@dataclass(frozen=True)
class Place:
    """The series and the number of one value."""

    series: str
    x: float


@dataclass(frozen=True)
class Axis:
    """A numeric axis.

    Attributes:
        name: of the axis, with its unit.
        rows: from row to its place; empty if columns are the points.
        columns: from column to its place, with every row as a series; empty if rows are the points.
        title: of the panel, if columns are the points.
    """

    name: str
    rows: Mapping[str, Place]
    columns: Mapping[Column, float]
    title: str = ""


def row_axes(differences: Differences | None) -> tuple[Axis, ...]:
    """The keys by which rows differ in a number, whatever the design: at least three values, or two on two series."""
    if differences is None or differences.reference is None:
        return ()
    trained = {
        name: {change.key: change for change in changes}
        for name, changes in differences.rows.items()
        if all(change.key != "pretraining" for change in changes)
    }
    keys = dict.fromkeys(key for changes in trained.values() for key in changes)
    found = (_row_axis(key, trained) for key in keys)
    return tuple(axis for axis in found if axis is not None)


def _row_axis(key: str, rows: Mapping[str, Mapping[str, Change]]) -> Axis | None:
    own = [changes[key] for changes in rows.values() if key in changes]
    if any(_number(value) is None for change in own for value in (change.before, change.after)):
        return None
    before = float(own[0].before)
    groups: dict[frozenset[str], dict[str, float]] = {}
    for name, changes in rows.items():
        rest = frozenset(str(change) for other, change in changes.items() if other != key)
        groups.setdefault(rest, {})[name] = float(changes[key].after) if key in changes else before
    lines = {rest: points for rest, points in groups.items() if len(set(points.values())) > 1}
    longest = max((len(set(points.values())) for points in lines.values()), default=0)
    if longest < LEAST_POINTS and (longest < 2 or len(lines) < 2):
        return None
    others = sorted({other for rest in lines for name in groups[rest] for other in rows[name] if other != key})
    places = {
        name: Place(_series(others, rows, rows[name]), x) for points in lines.values() for name, x in points.items()
    }
    return Axis(_named(key), places, {})


def _series(keys: Sequence[str], rows: Mapping[str, Mapping[str, Change]], own: Mapping[str, Change]) -> str:
    """The name of a line: its values of the keys that lines differ in."""
    said = []
    for key in keys:
        before = next(changes[key].before for changes in rows.values() if key in changes)
        said.append(f"{key.rpartition('.')[2]} {own[key].after if key in own else before}")
    return ", ".join(said)


def column_axes(columns: Sequence[Column], options: Mapping[str, Mapping[str, str]]) -> tuple[Axis, ...]:
    """The numbers by which columns of one metric differ: an option of a protocol, or the number after its @.

    Args:
        options: from evaluation label to its protocol, data and options, as text.
    """
    return (*_by_option(columns, options), *_by_metric(columns))


def evaluation_options(evaluation: EvaluationConfig) -> dict[str, str]:
    """Protocol, data set and the options of both, as text."""
    data = evaluation.data
    found = flatten(evaluation.protocol.options.model_dump(mode="json"))
    found |= flatten(data.options.model_dump(mode="json"), "data.")
    return {name: str(value) for name, value in found.items()} | {
        "protocol": evaluation.protocol.name,
        "data": data.bound_name,
    }


def _by_option(columns: Sequence[Column], options: Mapping[str, Mapping[str, str]]) -> list[Axis]:
    """Evaluations that differ in one number: clips of a video, share of labels."""
    known = [column for column in columns if column.evaluation in options]
    keys = dict.fromkeys(key for column in known for key in options[column.evaluation])
    found = []
    for key in keys:
        groups: dict[tuple[object, ...], dict[Column, float]] = {}
        for column in known:
            own = options[column.evaluation]
            if (x := _number(own.get(key, ""))) is not None:
                rest = tuple(sorted((other, value) for other, value in own.items() if other != key))
                groups.setdefault((column.metric, rest), {}).setdefault(column, x)
        for points in groups.values():
            if len(set(points.values())) >= LEAST_POINTS:
                first = next(iter(points))
                own = options[first.evaluation]
                title = f"{own['protocol']}/{own['data']} {first.metric}"
                found.append(Axis(_named(key), {}, points, title))
    return found


def _by_metric(columns: Sequence[Column]) -> list[Axis]:
    """``R@1``, ``R@5``, ``R@10``; ``distance@0.25``, ..."""
    groups: dict[tuple[str, str], dict[Column, float]] = {}
    for column in columns:
        name, at, number = column.metric.partition("@")
        if at and (x := _number(number)) is not None:
            groups.setdefault((column.evaluation, name), {})[column] = x
    return [
        Axis(MEASURED_AT.get(name, f"{name}@"), {}, points, f"{evaluation} {name}@")
        for (evaluation, name), points in groups.items()
        if len(points) >= LEAST_POINTS
    ]


def _named(key: str) -> str:
    unit = next((unit for end, unit in UNITS.items() if key == end or key.endswith(f".{end}")), "")
    short = ".".join(key.split(".")[-2:]) if "." in key else key
    return f"{short} ({unit})" if unit else short


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) else None
