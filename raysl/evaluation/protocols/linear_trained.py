"""Linear evaluation as the papers train it: a linear layer by SGD or Adam on augmented clips, over the frozen backbone.

`raysl.evaluation.protocols.linear` solves the same problem on features that are extracted once, to its only solution.
Here rate, epochs and augmentation are options, and change the result: recipes set those of TaCo 4.2.4, TCLR's and
CSTP's codes and CVRL 4.2. The training is a separate cell, as in fine-tuning.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from raysl.config.cell import Slot
from raysl.config.component import Chosen, Component, later
from raysl.config.options import option
from raysl.config.sections import LearningRate
from raysl.evaluation.classification import METRICS, NEEDS_CLASSES
from raysl.evaluation.downstream import DownstreamOptions, check, downstream
from raysl.models.backbone_options import FeatureNorm
from raysl.training.optimizers.sgd import SGDOptions
from raysl.training.schedules.cosine import CosineOptions

SGD = Chosen(
    "optimizer",
    "sgd",
    SGDOptions(learning_rate=LearningRate(value=32.0, at_batch=1024), momentum=0.9, weight_decay=0.0),
)


class LinearTrainedOptions(DownstreamOptions):
    """Options of the trained linear layer. Defaults are CVRL's on Kinetics-400."""

    protocol: ClassVar[str] = "linear_trained"

    epochs: int = option(
        100,
        doc="passes over the training videos",
        unit="epochs",
        source="printed: CVRL, CSTP; TaCo 60; code: TCLR 100",
        ge=1,
        le=10**6,
    )
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(
        SGD,
        doc="the optimizer of the linear layer",
        source="printed: CVRL: SGD, 32 at batch 1024; code: no weight decay",
    )
    schedule: Annotated[Chosen, Slot("schedule")] = option(
        Chosen("schedule", "cosine", CosineOptions()), doc="learning rate over time", source="printed: CVRL"
    )
    feature_norm: FeatureNorm = option(
        "l2",
        doc="what is done to the pooled feature before the layer; l2_batch_norm: unit length, then batch norm",
        source="printed: CVRL: l2; code: CSTP l2_batch_norm; inferred: TaCo, TCLR none",
    )
    batch_norm: Literal["train", "eval"] = option(
        "eval",
        doc="the frozen backbone's batch norms while the layer trains: of the batch, or as pretraining left them",
        source="code: CVRL eval; TCLR, CSTP train",
    )
    train: Literal["head", "all"] = option(
        "head",
        doc="what is trained; all: the backbone too, for rows that a linear layer is compared with",
        source="printed: the papers: head; CVRL's supervised networks: all, otherwise as in its linear evaluation",
    )

    @property
    def trained(self) -> Literal["all", "head"] | tuple[str, ...]:
        return self.train


COMPONENT = Component(
    kind="protocol",
    options=LinearTrainedOptions,
    build=later("raysl.evaluation.classifier_test", "ClassifierTest"),
    check=check,
    downstream=downstream,
    metrics=lambda options: METRICS,
    needs_classes=NEEDS_CLASSES,
    trivial=True,
)
