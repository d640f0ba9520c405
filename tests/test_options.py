"""Every configuration field says what it does, its unit where it has one, its source and its bounds."""

from __future__ import annotations

import typing
from collections.abc import Iterator

import pytest
from pydantic.fields import FieldInfo

from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, find, names
from raysl.config.options import Options


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
    if not isinstance(extra, dict) or not extra.get("source"):
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
