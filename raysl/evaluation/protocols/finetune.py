"""Fine-tuning: trains all layers, or some, and a new classifier on labels, starting from the cell's backbone.

For a cell without pretraining this is training from scratch. The training is a separate cell, with the
classifier's test as its evaluation (`raysl.evaluation.protocols.classifier`).
"""

from __future__ import annotations

from typing import Literal

from raysl.config.component import Component, later
from raysl.config.options import option
from raysl.evaluation.classification import METRICS, NEEDS_CLASSES
from raysl.evaluation.downstream import DownstreamOptions, check, downstream


class FinetuneOptions(DownstreamOptions):
    """Options of fine-tuning."""

    train: Literal["all", "head"] | tuple[str, ...] = option(
        "all",
        doc="what is trained: all; head: the classifier alone; modules of the backbone by name, with the classifier",
        source="printed: all five papers fine-tune all layers",
    )

    @property
    def trained(self) -> Literal["all", "head"] | tuple[str, ...]:
        return self.train


COMPONENT = Component(
    kind="protocol",
    options=FinetuneOptions,
    build=later("raysl.evaluation.classifier_test", "ClassifierTest"),
    check=check,
    downstream=downstream,
    metrics=lambda options: METRICS,
    needs_classes=NEEDS_CLASSES,
)
