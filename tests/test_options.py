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

PROJECT = Path(__file__).parent.parent
SOURCE = re.compile(r"(printed|code|inferred|ours)(: .|; .|$)|(required|per recipe|per study|see its fields)(; .|$)")
LETTER = re.compile(r"(?<!`)\[(?:P|C|I|\?)( [^]]*)?\](?!`)")
"""A source as a letter in brackets; a tensor's shape stands in backquotes."""


def all_options() -> Iterator[type[Options]]:
    models: set[type[Options]] = {CellConfig, *(find(kind, name).options for kind in KINDS for name in names(kind))}
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


def lacking(field: FieldInfo, checked: bool) -> Iterator[str]:
    """What a field does not say."""
    if not field.description:
        yield "what it does"
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or not SOURCE.match(str(extra.get("source"))):
        yield "its source"
    numeric = {int, float} & {field.annotation, *typing.get_args(field.annotation)}
    bounded = any(hasattr(metadata, bound) for metadata in field.metadata for bound in ("gt", "ge", "lt", "le"))
    if numeric and not bounded and not checked:
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
