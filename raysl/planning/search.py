"""A search: what is tried, how it is scored, and the rows for its best configurations."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.identity import cell_id, leaves, resolved
from raysl.config.load import resolve_cell
from raysl.config.options import Options
from raysl.config.scale import LENGTHS, Scale, multiply
from raysl.config.yaml_reader import Tree
from raysl.errors import ConfigError
from raysl.planning.axes import Axis, Point, changes
from raysl.planning.data_sets import with_root_name
from raysl.planning.rows import Row, resolve_row
from raysl.planning.search_options import SearchOptions
from raysl.results.search_folder import SearchTrial

NEEDED = "optuna"


def check_optuna() -> None:
    """Checks for Optuna before a search is run or its result drawn; everything else works without it.

    Raises:
        ConfigError: Optuna is not installed.
    """
    if importlib.util.find_spec(NEEDED) is None:
        raise ConfigError("a search and the figure of its factors need Optuna: pip install 'raysl[search]'")


@dataclass(frozen=True)
class Search:
    """What is searched, at one scale.

    Attributes:
        options: the key ``search``, with `Scale.trials` applied.
        axes: of the search.
        base: the study's own configuration at full length, which points change.
        data: labelled, for scores.
        document, scale, overrides: what rows are resolved from.
    """

    options: SearchOptions
    axes: tuple[Axis, ...]
    base: Row
    data: Chosen
    document: Tree
    scale: Scale
    overrides: Tree

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(name for axis in self.axes for name in axis.parameters)

    def missing(self, trials: Iterable[SearchTrial]) -> int:
        """How many trials have still to end."""
        return max(0, self.options.trials - sum(trial.ended for trial in trials))

    def row(self, point: Point, name: str) -> Row:
        """A point at full length, with the study's evaluations.

        Raises:
            ConfigError: the point is no configuration.
        """
        return search_row(self.document, self.scale, self.overrides, changes(self.axes, point), name)

    def trial(self, point: Point) -> CellConfig:
        """A point at the search's length and seed.

        Raises:
            ConfigError: the point is no configuration.
        """
        return self._short(self.row(point, "trial").cell)

    def _short(self, cell: CellConfig) -> CellConfig:
        data = resolved(cell)
        by: dict[str, Any] = {"by": self.options.length}
        following = [key for keys in LENGTHS.values() for key in keys]
        multiply(data, Scale(multiply={key: {**by, "min": 1} for key in LENGTHS} | dict.fromkeys(following, by)))
        data["training"]["seed"] = self.options.seed
        return with_root_name(resolve_cell(Tree(data, self.document.origins)), cell.data.root_name)

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits: a hash of what determines trials and their scores, but not of the number of trials."""
        base = self._short(self.base.cell)
        parts = [
            [self.data.name, _sorted_leaves(self.data.options)],
            _sorted_leaves(self.options),
            [asdict(axis) for axis in self.axes],
            # Points may use sections that the base lacks, and keys that the scale multiplies but the base lacks.
            cell_id(base),
            _sorted_leaves(base),
            sorted(self.scale.multiply.items()),
        ]
        return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=6).hexdigest()

    @property
    def length(self) -> str:
        """``5 of 20 epochs``"""
        full, short = self.base.cell.training, self._short(self.base.cell).training
        if full.epochs is not None:
            return f"{short.epochs} of {full.epochs} epochs"
        return f"{short.steps} of {full.steps} steps"

    @property
    def scored_by(self) -> str:
        k = self.options.knn.neighbors
        return f"vote of the {k} nearest training videos of other groups, {self.data.name}"

    def about(self) -> dict[str, Any]:
        """For people who read the store."""
        return {
            "axes": {axis.key: asdict(axis) for axis in self.axes},
            "search": resolved(self.options),
            "base": resolved(self._short(self.base.cell)),
            "scored_on": {"name": self.data.name, **resolved(self.data.options)},
        }


def _sorted_leaves(options: Options) -> list[tuple[str, Any]]:
    return sorted((".".join(path), value) for path, value in leaves(options))


def _value_places(axis: Any, key: str, value: Any) -> Iterator[tuple[str, ...]]:
    """The origins of a value's options: of all members of subsets, or of the value of a choice."""
    if isinstance(axis, Mapping) and isinstance(axis.get("subsets"), Mapping):
        yield ("axes", key, "subsets")
    if isinstance(axis, Mapping) and isinstance(axis.get("choice"), Mapping):
        yield from (("axes", key, "choice", name) for name, options in axis["choice"].items() if options == value)


def search_row(document: Tree, scale: Scale, overrides: Tree, change: Mapping[str, Any], name: str) -> Row:
    """A row of the study that changes these keys; its errors name the lines of the axes.

    Raises:
        ConfigError: it is no configuration.
    """
    origins = dict(document.origins)
    for key, value in change.items():
        if ("axes", key) in origins:
            origins["rows", name, key] = origins["axes", key]
            for inside in _value_places(document.data["axes"][key], key, value):
                below = [path for path in document.origins if path[: len(inside)] == inside]
                origins |= {("rows", name, key, *path[len(inside) :]): document.origins[path] for path in below}
    return resolve_row(Tree({**document.data, "rows": {name: dict(change)}}, origins), name, scale, overrides)


@dataclass(frozen=True)
class TitledSearch:
    """A search with the name of its study, for people."""

    title: str
    search: Search

    def reads(self) -> list[Cell]:
        """Cells that read the same data as the search: for training, and for scoring."""
        config = self.search.base.cell
        scored = config.model_copy(update={"data": self.search.data})
        return [Cell(config, study=self.title), Cell(scored, study=self.title)]
