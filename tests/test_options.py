"""Every configuration field says what it does, its unit where it has one, its source and its bounds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, find, names
from raysl.config.options import Options
from raysl.config.scale import Factor, Scale
from raysl.planning.read_axes import AxisOptions
from raysl.planning.reproduction import PublishedOptions
from raysl.planning.search_options import SearchOptions
from raysl.planning.study import Reference, StudyOptions
from raysl.testing.fields import models_of, undocumented

PROJECT = Path(__file__).parent.parent
WRITTEN: set[type[Options]] = {StudyOptions, SearchOptions, AxisOptions, PublishedOptions, Reference, Scale, Factor}
"""What studies and scales hold beside the keys of a configuration."""
LETTER = re.compile(r"(?<!`)\[(?:P|C|I|\?)( [^]]*)?\](?!`)")
"""A source as a letter in brackets; a tensor's shape stands in backquotes."""


COMPONENTS = [find(kind, name).options for kind in KINDS for name in names(kind)]
MODELS = {f"{model.__module__}.{model.__name__}": model for model in models_of(CellConfig, *COMPONENTS, *WRITTEN)}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_field_says_what_it_is(model: str) -> None:
    assert undocumented(MODELS[model]) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_component_and_each_exports_its_kind(kind: str) -> None:
    assert names(kind)
    for name in names(kind):
        assert find(kind, name).kind == kind


def test_sources_are_words_everywhere() -> None:
    """``(printed)``, ``code: CVRL`` and so on: no letter in brackets stands for them."""
    folders = ("raysl", "search_spaces", "benchmarks", "clusters", "docs", "tests")
    kept = {PROJECT / "raysl/published/tables.yaml"}  # a column of a table is called P
    files = [path for folder in folders for path in (PROJECT / folder).rglob("*.*")]
    files = [path for path in files if path.suffix in (".py", ".yaml", ".md") and path not in kept]
    assert len(files) > 500
    lettered = [path for path in files if LETTER.search(path.read_text(encoding="utf-8"))]
    assert lettered == []
