"""Every configuration field says what it does, its unit where it has one, its source and its bounds."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, find, names
from raysl.config.options import Options
from raysl.config.scale import Factor, Scale
from raysl.planning.read_axes import AxisOptions
from raysl.planning.reproduction import PublishedOptions
from raysl.planning.search_options import SearchOptions
from raysl.planning.study import Reference, StudyOptions

PROJECT = Path(__file__).parent.parent
WRITTEN: set[type[Options]] = {StudyOptions, SearchOptions, AxisOptions, PublishedOptions, Reference, Scale, Factor}
"""What studies and scales hold beside the keys of a configuration."""
SOURCE = re.compile(
    r"(printed|code|inferred|ours)(: .|; .|$)|(required|per recipe|per study|per scale|see its fields)(; .|$)"
)
LETTER = re.compile(r"(?<!`)\[(?:P|C|I|\?)( [^]]*)?\](?!`)")
"""A source as a letter in brackets; a tensor's shape stands in backquotes."""


def all_options() -> Iterator[type[Options]]:
    models: set[type[Options]] = {CellConfig, *(find(kind, name).options for kind in KINDS for name in names(kind))}
    models |= WRITTEN
    waiting = list(models)
    while waiting:
        model = waiting.pop()
        yield model
        for field in model.model_fields.values():
            for inner in (field.annotation, *typing.get_args(field.annotation)):
                if isinstance(inner, type) and issubclass(inner, Options) and inner not in models:
                    models.add(inner)
                    waiting.append(inner)


def validated(model: type[Options]) -> set[str]:
    """Fields whose bounds a validator of the model checks (bounds of one branch of a union)."""
    validators = model.__pydantic_decorators__.field_validators.values()
    return {name for validator in validators for name in validator.info.fields}


MODELS = {f"{model.__module__}.{model.__name__}": model for model in all_options()}


def atoms(annotation: object, metadata: tuple[object, ...] = ()) -> Iterator[tuple[object, bool]]:
    """The plain types that an option is made of, and whether each has bounds; mappings are left out."""
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        yield from atoms(inner[0], (*metadata, *inner[1:]))
    elif inner and typing.get_origin(annotation) is not dict:
        own = () if typing.get_origin(annotation) is tuple else metadata
        for one in inner:
            yield from atoms(one, own)
    else:
        places = [place for one in metadata for place in (one, *getattr(one, "metadata", ()))]
        yield annotation, any(hasattr(one, bound) for one in places for bound in ("gt", "ge", "lt", "le"))


def lacking(field: FieldInfo, checked: bool) -> Iterator[str]:
    """What a field does not say."""
    if not field.description:
        yield "what it does"
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or not SOURCE.match(str(extra.get("source"))):
        yield "its source"
    numbers = [bounds for kind, bounds in atoms(field.annotation, tuple(field.metadata)) if kind in (int, float)]
    if numbers and not (isinstance(extra, dict) and extra.get("unit")):
        yield "its unit, or that it has none"
    if not all(numbers) and not checked:
        yield "its bounds"


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_field_says_what_it_is(model: str) -> None:
    checked = validated(MODELS[model])
    fields = MODELS[model].model_fields.items()
    assert {name: said for name, field in fields if (said := [*lacking(field, name in checked)])} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_component_and_each_exports_its_kind(kind: str) -> None:
    assert names(kind)
    for name in names(kind):
        assert find(kind, name).kind == kind


def test_sources_are_words_everywhere() -> None:
    """``(printed)``, ``code: CVRL`` and so on: no letter in brackets stands for them."""
    folders = ("raysl", "search_spaces", "benchmarks", "clusters", "docs", "tests")
    kept = {PROJECT / "docs/design.md", PROJECT / "raysl/published/tables.yaml"}  # a column of a table is called P
    files = [path for folder in folders for path in (PROJECT / folder).rglob("*.*")]
    files = [path for path in files if path.suffix in (".py", ".yaml", ".md") and path not in kept]
    assert len(files) > 500
    lettered = [path for path in files if LETTER.search(path.read_text(encoding="utf-8"))]
    assert lettered == []
