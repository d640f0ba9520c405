"""What every protocol keeps: metrics as declared, predictions that agree with them, the same result each time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id
from raysl.config.load import evaluation_from
from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.evaluation.against_data import check_against_data
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.protocol import EvaluationResult
from raysl.evaluation.try_evaluation import try_evaluation
from raysl.objectives.build import build_objective
from raysl.testing.cells import TINY_BACKBONE, tiny_cell
from raysl.testing.component import BASE, ComponentContract, at_bounds, source_of, takes_seconds
from raysl.testing.evaluated import CLIP, CPU, SIX_CLASSES, six_classes
from raysl.testing.fields import nested, numbers_of
from raysl.training.check_cell import check_cell
from raysl.training.try_step import try_step

CLASSES = 6


class ProtocolContract(ComponentContract):
    """Of a protocol: ``COMPONENT = Component(kind="protocol", ...)``; those of features and of clips keep more.

    ``options`` should be such that it measures all that it can on twelve training videos of six classes, in a second.
    ``changes`` are of the cell that is evaluated.

    Attributes:
        clip: that the backbone was trained on.
        options_to_train: options beside ``options`` with which it fits eight training videos of two classes.
    """

    kind: ClassVar[str] = "protocol"
    clip: ClipOptions = CLIP
    options_to_train: Mapping[str, Any] = {}

    @pytest.fixture
    def files(self) -> dict[str, Path]:
        """Files that it reads besides the data, by the names that ``--root`` binds them to."""
        return {}

    def evaluation(self, options: Mapping[str, Any], data: Chosen = SIX_CLASSES) -> EvaluationConfig:
        protocol = {"name": self.component, **options}
        read = {"name": data.name, **data.options.model_dump()}
        return evaluation_from({"label": "label", "protocol": protocol, "data": read}, "here.yaml")

    def id_of(self, options: Mapping[str, Any]) -> str:
        return evaluation_id(self.evaluation(options))

    def chosen(self) -> Chosen:
        return self.evaluation(self.options).protocol

    def test_metrics_are_those_that_are_declared_before_there_are_any(self, files: dict[str, Path]) -> None:
        config = self.evaluation(self.options)
        if self.found.metrics is None or self.found.boxes:
            pytest.skip(f"{self.component} declares none, or reads boxes of people")
        expected = self.found.metrics(config.protocol.options)
        cell = Cell(tiny_cell({"pretraining": "supervised", "clip": CLIP.model_dump(), "backbone": TINY_BACKBONE}))
        behind = cell.behind(config)
        if behind is not None:
            cell, (config,) = behind, behind.evaluations
        network = build_objective(cell.config, range(12), 1, classes=CLASSES)
        results = evaluate(
            network.backbone,
            {"label": config},
            self.clip,
            lambda _: six_classes(),
            seed=0,
            device=CPU,
            cell=cell.config,
            network=lambda: (network, six_classes().catalog.classes),
            files=files,
        )
        assert tuple(results["label"].metrics) == expected

    @takes_seconds
    def test_at_its_bounds_a_number_is_refused_before_training_or_it_is_evaluated(self, files: dict[str, Path]) -> None:
        cell = tiny_cell({**(BOXES if self.found.boxes else BASE), **self.changes})
        source = source_of(cell)
        report = try_step(cell, source)
        plain = {**self.options, **self.options_to_train}
        for number in numbers_of(self.found.options):
            for value in at_bounds(number):
                said = None
                try:
                    evaluation = self.evaluation(nested(plain, number.key, value), cell.data)
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


BOXES = {key: value for key, value in BASE.items() if not key.startswith("data.")} | {
    "data": {"name": "synthetic_boxes", "train": 4, "test": 2, "height": 32, "width": 32}
}


def assert_stored(result: EvaluationResult, folder: Path) -> None:
    """Metrics and details are JSON, predictions go through Parquet unchanged."""
    json.dumps([result.metrics, result.details], allow_nan=False)
    result.predictions.to_parquet(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "predictions.parquet"), result.predictions)


def assert_equal(first: EvaluationResult, second: EvaluationResult) -> None:
    assert first.metrics == second.metrics
    assert first.details == second.details
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
