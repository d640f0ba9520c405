"""The test of a cell's own classifier, for any cell that is trained on labels, pretrained or fine-tuned."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component, later
from raysl.errors import ConfigError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.classification import METRICS, NEEDS_CLASSES
from raysl.evaluation.classifier_options import ClassifierOptions
from raysl.evaluation.workload import Workload


def _check(options: ClassifierOptions, cell: CellConfig) -> None:
    if cell.pretraining != "supervised":
        raise ConfigError(
            f"classifier: pretraining: {cell.pretraining} trains no classifier to test: use linear or finetune"
        )


def _workload(options: ClassifierOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    return Workload(len(splits.test), options.clips * options.crops, options.clip.of(cell.clip))


COMPONENT = Component(
    kind="protocol",
    options=ClassifierOptions,
    build=later("raysl.evaluation.classifier_test", "ClassifierTest"),
    check=_check,
    workload=_workload,
    metrics=lambda options: METRICS,
    needs_classes=NEEDS_CLASSES,
)
