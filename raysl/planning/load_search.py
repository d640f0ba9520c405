"""Loads a search: its axes must be keys that may vary, and each of their values valid in a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from raysl.config.cell import Slot
from raysl.config.resolve import choose, resolve
from raysl.config.scale import Scale
from raysl.config.tree import get
from raysl.config.yaml_reader import Tree
from raysl.errors import ConfigError
from raysl.planning.axes import Axis, Point, RandomSuggestions, suggest
from raysl.planning.data_sets import root_name
from raysl.planning.folds import folds_of
from raysl.planning.read_axes import read_axes
from raysl.planning.rows import data_set
from raysl.planning.search import Search, search_row
from raysl.planning.search_options import SearchOptions
from raysl.streams import stream

ATTEMPTS = 100
"""Tries with random values of the other axes, before a value is refused."""

NO_AXES = {
    "data": "all trials train on the study's data set, so that their scores are comparable",
    "evaluation": "trials are scored while they train, and not by the study's evaluations",
    "training.seed": "search.seed is the trials', and seeds are those of the best",
    "training.workers": "all trials have the same share of the cluster",
}
"""Keys that cannot be searched, and why."""


def load_search(document: Tree, seeds: Sequence[int], scale: Scale, overrides: Tree, given: Tree) -> Search:
    """The search of a study.

    Args:
        document: the study, with ``--set`` on its own keys applied; ``evaluations`` resolved.
        overrides: ``--set`` on keys of configurations.
        given: all of ``--set``.

    Raises:
        ConfigError: naming file, line and key: an axis, or a value of one, that is in no configuration; a base that is
            none itself; a seed of the study that is the search's.
    """
    written = dict(document.data.get("search") or {})
    if scale.trials is not None and get(given.data, ("search", "trials")) is None:
        written["trials"] = scale.trials
    options = resolve(SearchOptions, document, ("search",), data=written)
    if options.grace_reports > options.reports:
        message = f"{options.grace_reports} is more than search.reports, {options.reports}: nothing would be stopped"
        raise document.error(("search", "grace_reports"), message)
    if options.seed in seeds:
        message = f"{options.seed} is one of seeds: the best were chosen at it, so they need others"
        raise document.error(("search", "seed"), message)
    base = search_row(document, scale, overrides, {}, "base")
    data = base.cell.data
    if options.data is not None:
        data = choose(Slot("data set"), data_set(options.data, document, scale), document, ("search", "data"))
        data = replace(data, root_name=root_name(options.data, document, scale))
    for place, used in ((("data",), base.cell.data), (("search", "data"), data)):
        if len(folds_of(used)) > 1:
            message = f"a search trains and scores on one fold: choose it, for instance data: {used.bound_name}/1"
            raise document.error(place, message)
    if not data.labelled:
        message = f"trials are scored by labels, and {data.bound_name} has none: name a labelled set with search.data"
        raise document.error(("search", "data") if options.data is not None else ("search",), message)
    search = Search(options, read_axes(document), base, data, document, scale, overrides)
    for axis in search.axes:
        _check_key(axis, document, overrides)
    for axis in search.axes:
        _check_values(axis, search)
    return search


def _check_key(axis: Axis, document: Tree, overrides: Tree) -> None:
    """Refuses an axis without effect.

    Raises:
        ConfigError: it is one of `NO_AXES`, or ``--set`` overrides it.
    """
    for key, reason in NO_AXES.items():
        if axis.key == key or axis.key.startswith(f"{key}."):
            raise document.error(("axes", axis.key), f"cannot be searched: {reason}")
    path = tuple(axis.key.split("."))
    for end in range(1, len(path) + 1):
        value = get(overrides.data, path[:end])
        if value is not None and (end == len(path) or not isinstance(value, Mapping)):
            raise document.error(
                ("axes", axis.key), f"--set {'.'.join(path[:end])} overrides it: no trial would have its values"
            )


def _check_values(axis: Axis, search: Search) -> None:
    """Each value of an axis must be valid in a configuration, with some values of the others.

    Raises:
        ConfigError: naming the axis and the value, and why.
    """
    for wanted in axis.each():
        refusals: list[str] = []
        for attempt in range(ATTEMPTS):
            generator = stream("axes", axis.key, str(wanted), attempt)
            fixed = _conditions(axis, search.axes, generator) | wanted
            point = suggest(search.axes, RandomSuggestions(generator, fixed))
            if not wanted.items() <= point.items():
                continue
            try:
                search.trial(point)
                break
            except ConfigError as error:
                refusals.append(str(error))
        else:
            shown = ", ".join(f"{name} = {value}" for name, value in wanted.items())
            reason = refusals[0] if refusals else "its conditions, and theirs, never hold at the same time"
            raise search.document.error(("axes", axis.key), f"no configuration has {shown}: {reason}")


def _conditions(axis: Axis, axes: Sequence[Axis], generator: np.random.Generator) -> Point:
    """Values of other axes with which this one is open, drawn from those of its conditions."""
    needed: Point = {}
    for other in axes:
        if other.key in axis.when:
            names = axis.when[other.key]
            needed |= _conditions(other, axes, generator) | other.having(names[int(generator.integers(len(names)))])
    return needed
