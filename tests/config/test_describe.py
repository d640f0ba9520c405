"""Options and components in words, which are those of the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field

from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, find, names
from raysl.config.describe_component import WHAT, component_text, summary
from raysl.config.describe_option import OptionText, option_texts
from raysl.config.load import check_written
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import ClipOptions
from raysl.config.yaml_reader import parse_tree

EVERY = [(kind, name) for kind in KINDS for name in names(kind)]


class Section(Options):
    """A section whose defaults stand in its own model."""

    share: float = option(0.5, doc="a", unit="share", source="ours", ge=0, lt=1)


class Example(Options):
    """One option of each form."""

    many: tuple[Annotated[int, Field(ge=1, le=8)], ...] = option((1, 2), doc="b", source="ours", min_length=2)
    either: Literal["all"] | Annotated[float, Field(gt=0, le=1e6)] = option("all", doc="c", unit=NO_UNIT, source="ours")
    tiny: float | None = option(1e-7, doc="d", unit="s", source="code: X", gt=0, le=1, identity=False)
    even: int = option(doc="e", unit="pixels", source="required", ge=2, le=2**20, multiple_of=2)
    text: str = option("a: b", doc="f", source="ours")
    inner: Section = option(Section(share=0.25), doc="g", source="see its fields")


def described() -> dict[str, OptionText]:
    return {text.key: text for text in option_texts(Example)}


@pytest.mark.parametrize(
    ("key", "values", "default", "unit"),
    [
        ("many", "list of int 1 to 8, at least 2", "[1, 2]", ""),
        ("either", "all, or float above 0 to 1e6", "all", ""),
        ("tiny", "float above 0 to 1, or null", "1.0e-07", "s"),
        ("even", "int 2 to 1048576, a multiple of 2", None, "pixels"),
        ("text", "text", '"a: b"', ""),
        ("inner", "section", None, ""),
        ("inner.share", "float 0 to below 1", "0.25", "share"),
    ],
)
def test_one_option_of_each_form(key: str, values: str, default: str | None, unit: str) -> None:
    text = described()[key]
    assert (text.values, text.default, text.unit) == (values, default, unit)


def test_what_else_an_option_says() -> None:
    texts = described()
    assert [key for key, text in texts.items() if text.required] == ["even"]
    assert [key for key, text in texts.items() if not text.identity] == ["tiny"]
    assert (texts["tiny"].doc, texts["tiny"].source) == ("d", "code: X")


def plain_defaults() -> Iterator[tuple[str, object, str]]:
    """Every option of a component that stands at its first level, with its default as it is and as it is written."""
    for kind, name in EVERY:
        for text in component_text(kind, name).options:
            field = find(kind, name).options.model_fields.get(text.key)
            if field is not None and text.default is not None and text.kind is None:
                yield f"{kind}/{name} {text.key}", field.get_default(call_default_factory=True), text.default


def test_every_default_is_yaml_that_reads_as_itself() -> None:
    read = [(where, default, yaml.safe_load(written)) for where, default, written in plain_defaults()]
    assert len(read) > 300
    assert [one for one in read if one[2] != (list(one[1]) if isinstance(one[1], tuple) else one[1])] == []


@pytest.mark.parametrize(("kind", "name"), EVERY, ids="/".join)
def test_every_example_is_taken_by_the_loader(kind: str, name: str) -> None:
    check_written(parse_tree(component_text(kind, name).example, "example.yaml"))


@pytest.mark.parametrize(("kind", "name"), EVERY, ids="/".join)
def test_every_component_says_what_it_is(kind: str, name: str) -> None:
    text = component_text(kind, name)
    assert text.summary == summary(kind, name)
    assert len(text.summary) > 10
    assert "``" not in text.text
    assert kind in WHAT


def test_a_component_has_the_defaults_that_its_own_section_says() -> None:
    texts = {text.key: text for text in component_text("framework", "simsiam").options}
    assert texts["projector.batch_norm"].default == "all"
    assert {text.key for text in option_texts(CellConfig)} >= {f"clip.{name}" for name in ClipOptions.model_fields}
