"""Numbers of a cell, a study and a scale at their bounds and beyond: refused with the key, or a step of training works.

Those of components are tried by their contracts.
"""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.cell import CellConfig
from raysl.config.component import find, names
from raysl.config.options import Options
from raysl.config.scale import Factor, Scale
from raysl.planning.search_options import SearchOptions
from raysl.planning.study import StudyOptions
from raysl.testing.component import BASE, WINDOWED, assert_refused_beyond_bounds, at_bounds, refusal
from raysl.testing.fields import numbers_of
from tests.cells import tiny_cell
from tests.models.test_backbones import TRAINED

WITHOUT_WEIGHTS = [name for name in names("backbone") if name not in TRAINED]
MODELS: dict[str, type[Options]] = {
    **{f"backbone {name}": find("backbone", name).options for name in WITHOUT_WEIGHTS},
    "cell": CellConfig,
    "study": StudyOptions,
    "search": SearchOptions,
    "scale": Scale,
    "factor": Factor,
}
NUMBERS = {f"{title} {number.key}": (model, number) for title, model in MODELS.items() for number in numbers_of(model)}


@pytest.mark.parametrize("title", NUMBERS)
def test_beyond_its_bounds_a_number_is_refused_with_its_key(title: str) -> None:
    assert_refused_beyond_bounds(*NUMBERS[title])


HOSTS: dict[str, tuple[dict[str, Any], str, type[Options]]] = {
    "supervised": (BASE | {"pretraining": "supervised"}, "supervised", type(tiny_cell().supervised)),
    "cell": (BASE, "", CellConfig),
    "cell with windows": (
        WINDOWED | {"objective.local_local": {}, "objective.clip_to_video": {}},
        "",
        CellConfig,
    ),
}
"""Changes of the tiny cell, the key of the options in it, and their model."""


@pytest.mark.slow
@pytest.mark.parametrize("title", HOSTS)
def test_at_its_bounds_a_number_is_refused_before_training_or_a_step_works(title: str) -> None:
    """Refused with its key when the study is loaded, or as soon as the data is read."""
    changes, place, model = HOSTS[title]
    assert refusal(changes) is None
    # Windows are cut from clips; the rest of such a cell is as of the other one.
    numbers = [
        one for one in numbers_of(model) if title != "cell with windows" or one.key.startswith(("clip.", "objective."))
    ]
    for number in numbers:
        key = f"{place}.{number.key}".lstrip(".")
        for value in at_bounds(number):
            changed = changes | {key: value}
            if key == "training.epochs":
                changed |= {"training.steps": None}
            said = refusal(changed)
            assert said is None or number.key.split(".")[-1].rstrip("s") in said, f"{key} {value}: {said}"
