"""What every component keeps, whatever its kind: it is found, documented, bounded, and enters a cell's id."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import pytest

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component, find
from raysl.config.identity import cell_id, resolved
from raysl.config.options import Options
from raysl.config.resolve import check_options, resolve
from raysl.config.yaml_reader import Origin, Tree
from raysl.data.source import VideoSource, open_source
from raysl.errors import ConfigError
from raysl.evaluation.against_data import check_against_data
from raysl.testing.batches import PROJECTOR, WINDOWS
from raysl.testing.cells import TINY_BACKBONE, rendered, tiny_cell
from raysl.testing.fields import Number, models_of, nested, numbers_of, other_values, undocumented
from raysl.training.check_cell import check_cell
from raysl.training.try_step import try_step

Test = TypeVar("Test", bound=Callable[..., None])


def takes_seconds(test: Test) -> Test:
    """Says of a test that it takes a second or more: ``test.takes_seconds``, which a ``conftest.py`` may turn into a
    mark of its own.
    """
    test.takes_seconds = True  # type: ignore[attr-defined]
    return test


BASE: dict[str, Any] = {
    "backbone": TINY_BACKBONE,
    "data.classes": 2,
    "data.train_per_class": 8,
    "data.height": 32,
    "data.width": 32,
    "data.frames": 40,
    "clip": {"frames": 8, "stride": 1, "size": 16},
    "training": {"steps": 6, "batch_size": 4, "threads": 1},
    "optimizer.learning_rate": {"value": 1e-3, "at_batch": 4},
}
"""Changes of `tiny_cell` with which a step takes a tenth of a second."""
WINDOWED: dict[str, Any] = {
    **BASE,
    **WINDOWS,
    "backbone": {"name": TINY_BACKBONE, "last_stage_time": "kept"},
    "objective.contrastive": None,
    "objective.projector": PROJECTOR,
    "objective.memory": {"cells": 2},
}
"""Those of a cell whose terms read windows, on a projector that they share."""
TOO_LARGE = (
    *("width", "hidden_dim", "output_dim", "projection_dim", "hidden_layers", "size", "resize", "queue_size"),
    *("loader_workers", "threads"),
)
"""Upper bounds of these ask the machine for memory, processes or threads, and are not tried."""


class ComponentContract:
    """Base of the contracts.

    Attributes:
        component: its import path, or its name where it comes with raysl.
        options: what a study must say of it, because there is no default, or should, so that a test is quick.
        changes: what else of a cell it needs: dotted keys of `raysl.testing.cells.tiny_cell`.
    """

    kind: ClassVar[str]
    component: str
    options: Mapping[str, Any] = {}
    changes: Mapping[str, Any] = {}

    @property
    def found(self) -> Component:
        return find(self.kind, self.component)

    def resolved(self, **options: Any) -> Any:
        """Its options as a study would write them, ``options`` laid over the contract's own."""
        return resolve(self.found.options, Tree({**self.options, **options}))

    def id_of(self, options: Mapping[str, Any]) -> str:
        """The id that these options give to what the component is part of."""
        raise NotImplementedError

    def chosen(self) -> Chosen:
        """The component with its options, as it stands in what has the id."""
        raise NotImplementedError

    def test_it_is_found_as_a_component_of_its_kind(self) -> None:
        assert self.found.kind == self.kind
        assert issubclass(self.found.options, Options)

    def test_every_option_says_what_it_does_its_source_and_its_bounds(self) -> None:
        lacking = {model.__name__: undocumented(model) for model in models_of(self.found.options)}
        assert {model: fields for model, fields in lacking.items() if fields} == {}

    def test_beyond_its_bounds_a_number_is_refused_with_its_key(self) -> None:
        for number in numbers_of(self.found.options):
            assert_refused_beyond_bounds(self.found.options, number)

    def test_defaults_enter_no_id(self) -> None:
        assert self.id_of(resolved(self.chosen().options)) == self.id_of(self.options)

    def test_another_value_is_another_id_unless_it_changes_no_result(self) -> None:
        plain = self.id_of(self.options)
        for key, value, identity in other_values(self.chosen().options):
            try:
                changed = self.id_of(nested(self.options, key, value))
            except ConfigError:  # not beside the other options: the next one
                continue
            assert (changed != plain) == identity, f"{key}: {value}"


class TrainedContract(ComponentContract):
    """Base of the contracts of what a cell is trained with. Class attribute: place: of the options, in a cell."""

    place: ClassVar[str] = ""
    base: Mapping[str, Any] = BASE

    def host(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Changes of `raysl.testing.cells.tiny_cell` that make the component part of it."""
        return {**self.base, self.place: {"name": self.component, **options}, **self.changes}

    def chosen_in(self, cell: CellConfig) -> Chosen:
        found: Any = cell
        for key in self.place.split("."):
            found = getattr(found, key)
        assert isinstance(found, Chosen)
        return found

    def id_of(self, options: Mapping[str, Any]) -> str:
        return cell_id(tiny_cell(self.host(options)))

    def chosen(self) -> Chosen:
        return self.chosen_in(tiny_cell(self.host(self.options)))

    @takes_seconds
    def test_a_step_of_training_works(self) -> None:
        assert refusal(self.host(self.options)) is None

    @takes_seconds
    def test_at_its_bounds_a_number_is_refused_before_training_or_a_step_works(self) -> None:
        for number in numbers_of(self.found.options):
            for value in at_bounds(number):
                said = refusal(self.host(nested(self.options, number.key, value)))
                named = number.key.split(".")[-1].rstrip("s")
                assert said is None or named in said, f"{number.key} {value}: {said}"


def assert_refused_beyond_bounds(model: type[Options], number: Number) -> None:
    """Values below, above, not finite and of other types are refused, with file, line and key."""
    assert number.low is not None, f"{number.key} is without a lower bound"
    assert number.high is not None, f"{number.key} is without an upper bound"
    step = 1 if number.kind is int else max(abs(number.high), 1.0) * 1e-3
    values = [number.low - step, number.high + step, -1e308, 1e308, math.nan, math.inf, -math.inf, True, "1", 10**400]
    for value in [*values, *([0.5, 2.0**70] if number.kind is int else [])]:
        data = nested({}, number.key, [value] if number.listed else value)
        with pytest.raises(ConfigError) as caught:
            check_options(model, Tree(data, {(): Origin("here.yaml", 3)}), (), data)
        assert str(caught.value).startswith("here.yaml:3: ")
        assert number.key in str(caught.value)


def at_bounds(number: Number) -> Iterator[Any]:
    """The values at its bounds that can be tried, as a study writes them."""
    assert number.low is not None
    assert number.high is not None
    low, high = number.kind(number.low), number.kind(number.high)
    if number.listed:
        yield number.written(low, high)
        return
    yield low
    if number.key.split(".")[-1] not in TOO_LARGE:
        yield high


def refusal(changes: Mapping[str, Any]) -> str | None:
    """Takes a real step of a cell; why it was refused before one, as a study or its data are read, or None."""
    try:
        cell = tiny_cell(changes)
        check_cell(cell)
        source = source_of(cell)
        check_against_data(cell, None, source.snapshot)
    except ConfigError as error:
        return str(error)
    loss = try_step(cell, source).loss
    assert loss is not None
    assert math.isfinite(loss)
    return None


def source_of(cell: CellConfig) -> VideoSource:
    """The videos of a cell, rendered once for all tests of a process."""
    return open_source(cell.data, rendered(), resize=cell.clip.resize)
