"""Every number of a configuration at its bounds and beyond them: refused with its key, or a step of training works."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.component import KINDS, find, names
from raysl.config.evaluation import EvaluationConfig
from raysl.config.load import evaluation_from
from raysl.config.options import Options
from raysl.config.resolve import check_options
from raysl.config.scale import Factor, Scale
from raysl.config.yaml_reader import Origin, Tree
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.errors import ConfigError
from raysl.evaluation.against_data import check_against_data
from raysl.evaluation.try_evaluation import try_evaluation
from raysl.planning.search_options import SearchOptions
from raysl.planning.study import StudyOptions
from raysl.training.check_cell import check_cell
from raysl.training.try_step import try_step
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.models.test_backbones import TRAINED
from tests.objectives.batches import PROJECTOR, WINDOWS, small
from tests.search_spaces.image_weights import FLOW, save_flow_weights
from tests.training.boundaries import Number, numbers_of

MODELS: dict[str, type[Options]] = {
    **{f"{kind} {name}": find(kind, name).options for kind in KINDS for name in names(kind)},
    "cell": CellConfig,
    "study": StudyOptions,
    "search": SearchOptions,
    "scale": Scale,
    "factor": Factor,
}
NUMBERS = {f"{title} {number.key}": (model, number) for title, model in MODELS.items() for number in numbers_of(model)}

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
WINDOWED: dict[str, Any] = {
    **BASE,
    **WINDOWS,
    "backbone": {"name": TINY_BACKBONE, "last_stage_time": "kept"},
    "objective.contrastive": None,
    "objective.projector": PROJECTOR,
    "objective.memory": {"cells": 2},
}
OVERLAP = {"sampling.pair": {"name": "overlap"}, "augment": {"name": "cstp"}}
PLACES = {
    "pair sampler": "sampling.pair",
    "window sampler": "sampling.windows",
    "augmentation": "augment",
    "backbone": "backbone",
    "framework": "objective.contrastive",
    "optimizer": "optimizer",
    "schedule": "schedule",
}
BESIDE: dict[str, dict[str, Any]] = {
    "playback_rate": {"sampling.playback_rates": [1, 2]},
    "playback_regression": {"augment": {"name": "standard", "temporal": {"buffer_frames": 8, "max_rate": 2.0}}},
    "spatial_overlap": OVERLAP,
    "temporal_overlap": OVERLAP,
    "multistep": {"schedule": {"name": "multistep", "milestones": [1.0]}},
    "s3d": {"clip": {"frames": 8, "stride": 1, "size": 32}},
    "s3d_g": {"clip": {"frames": 8, "stride": 1, "size": 32}},
}
"""What a component needs of the rest of a cell."""

TOO_LARGE = ("width", "hidden_dim", "output_dim", "projection_dim", "hidden_layers", "size", "resize")
"""Their upper bounds are a matter of memory: not tried."""


@pytest.mark.parametrize("title", NUMBERS)
def test_beyond_its_bounds_a_number_is_refused_with_its_key(title: str) -> None:
    model, number = NUMBERS[title]
    assert number.low is not None, "without a lower bound"
    assert number.high is not None, "without an upper bound"
    step = 1 if number.kind is int else max(abs(number.high), 1.0) * 1e-3
    values = [number.low - step, number.high + step, -1e308, 1e308, math.nan, math.inf, -math.inf, True, "1", 10**400]
    for value in [*values, *([0.5, 2.0**70] if number.kind is int else [])]:
        written = [value] if number.listed else value
        *above, last = number.key.split(".")
        data: Any = {last: written}
        for key in reversed(above):
            data = {key: data}
        with pytest.raises(ConfigError) as caught:
            check_options(model, Tree(data, {(): Origin("here.yaml", 3)}), (), data)
        assert str(caught.value).startswith("here.yaml:3: ")
        assert number.key in str(caught.value)


def hosts() -> Iterator[tuple[str, dict[str, Any], str, type[Options]]]:
    """Title, changes of the tiny cell, the key of the options in it, and their model."""
    for kind, place in PLACES.items():
        for name in TRAINED if kind == "backbone" else names(kind):
            windowed = kind == "window sampler" or name == "tclr_released"
            base = (WINDOWED if windowed else BASE) | ({"objective.local_local": {}} if windowed else {})
            chosen: dict[str, Any] = {"name": name}
            if kind == "framework":
                chosen, base = small(name), base | ({"objective.local_local": None} if windowed else {})
            elif kind == "optimizer":
                chosen["learning_rate"] = BASE["optimizer.learning_rate"]
            yield f"{kind} {name}", base | {place: chosen} | BESIDE.get(name, {}), place, find(kind, name).options
    for name in names("temporal loss"):
        place = f"objective.{name}"
        yield f"temporal loss {name}", WINDOWED | {place: {}}, place, find("temporal loss", name).options
    for name in names("pretext task"):
        place = f"objective.pretext.{name}"
        yield (
            f"pretext task {name}",
            BASE | BESIDE.get(name, {}) | {place: {}},
            place,
            find("pretext task", name).options,
        )
    yield "supervised", BASE | {"pretraining": "supervised"}, "supervised", type(tiny_cell().supervised)
    yield "cell", BASE, "", CellConfig
    yield "cell with windows", WINDOWED | {"objective.local_local": {}, "objective.clip_to_video": {}}, "", CellConfig


HOSTS = {title: (changes, place, model) for title, changes, place, model in hosts()}


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places({}, tmp_path_factory.mktemp("boundaries"), cache_gigabytes=0.5)


def source_of(cell: CellConfig, places: Places) -> VideoSource:
    return open_source(cell.data, places, resize=cell.clip.resize)


def at_bounds(number: Number) -> Iterator[Any]:
    """The values to try, as written."""
    low, high = number.kind(number.low), number.kind(number.high)
    if number.listed:
        yield number.written(low, high)
        return
    yield low
    if number.key.split(".")[-1] not in TOO_LARGE:
        yield high


@pytest.mark.slow
@pytest.mark.parametrize("title", HOSTS)
def test_at_its_bounds_a_number_is_refused_before_training_or_a_step_works(title: str, places: Places) -> None:
    """Refused with its key when the study is loaded, or as soon as the data is read."""
    changes, place, model = HOSTS[title]
    assert step_of(changes, places) is None
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
            said = step_of(changed, places)
            assert said is None or number.key.split(".")[-1].rstrip("s") in said, f"{key} {value}: {said}"


def step_of(changes: dict[str, Any], places: Places) -> str | None:
    """Takes a step; why it was refused before one, or None."""
    try:
        cell = tiny_cell(changes)
        check_cell(cell)
        source = source_of(cell, places)
        check_against_data(cell, None, source.snapshot)
    except ConfigError as error:
        return str(error)
    loss = try_step(cell, source).loss
    assert loss is not None
    assert math.isfinite(loss)
    return None


FITTING: dict[str, dict[str, Any]] = {
    "finetune": {"batch_size": 4},
    "linear_trained": {"batch_size": 4},
    "transfer": {"batch_size": 4, "task": {"rotation": {}}},
    "timesteps": {"steps": 2},
    "detection": {"batch_size": 4},
    "motion_difference": {
        "task": {"reverse": {}},
        "weights": FLOW,
        "network": "small",
        "updates": 1,
        "pairs": 1,
        "videos": 1,
    },
}
FILMS = {"name": "synthetic_boxes", "train": 4, "test": 2, "height": 32, "width": 32}
"""Options with which a protocol fits the tiny set."""


@pytest.mark.slow
@pytest.mark.parametrize("name", names("protocol"))
def test_at_its_bounds_a_number_of_a_protocol_is_refused_before_training_or_it_is_evaluated(
    name: str, places: Places, tmp_path: Path
) -> None:
    files = {FLOW: save_flow_weights(tmp_path)} if name == "motion_difference" else {}
    changes: dict[str, dict[str, Any]] = {
        "classifier": {"pretraining": "supervised"},
        "timesteps": {"clip.frames": 16},
        "detection": {"pretraining": "none", "data": FILMS},
        "frame_map": {"pretraining": "supervised", "supervised.target": "boxes", "data": FILMS},
    }
    base = {key: value for key, value in BASE.items() if not (find("protocol", name).boxes and "data." in key)}
    cell = tiny_cell(base | changes.get(name, {}))
    source = source_of(cell, places)
    report = try_step(cell, source)
    for number in numbers_of(find("protocol", name).options):
        for value in at_bounds(number):
            said = None
            try:
                fits = FITTING.get(name, {})
                evaluation = evaluation_of(name, fits | {number.key: value}, cell)
                check = evaluation.protocol.component.check
                if check is not None:  # as `raysl plan` lets it refuse the cell
                    check(evaluation.protocol.options, cell)
                behind = Cell(cell).behind(evaluation)
                if behind is not None:  # whose own numbers are tried as those of a cell
                    check_against_data(behind.config, None, source.snapshot)
                    (evaluation,) = behind.evaluations
                    check_against_data(behind.config, evaluation, source.snapshot)
                    check_cell(behind.config)
                    try_step(behind.config, source)
                    continue
                check_against_data(cell, evaluation, source.snapshot)
            except ConfigError as error:
                said = str(error)
            if said is None:
                try_evaluation(cell, evaluation, report.backbone, source, report.network, files=files)
            else:
                assert number.key.split(".")[-1] in said, f"{number.key} {value}: {said}"


def evaluation_of(name: str, options: dict[str, Any], cell: CellConfig) -> EvaluationConfig:
    nested: dict[str, Any] = {"name": name}
    for key, value in options.items():
        *above, last = key.split(".")
        inner = nested
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = value
    data = {"name": cell.data.name, **cell.data.options.model_dump()}
    return evaluation_from({"label": f"{name}/synthetic", "protocol": nested, "data": data}, "here.yaml")
