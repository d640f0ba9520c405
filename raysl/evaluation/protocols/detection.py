"""Detection of actions: trains a head on people's boxes from the cell's backbone (CVRL 4.4 and Table 5, on AVA).

A box's feature is RoIAlign of the last map, mean over time, largest over space; each action has a sigmoid. Boxes are
given, as in SlowFast and mmaction2: the annotated ones to train on, a person detector's to test. The training is a cell
of its own (`raysl.evaluation.downstream`), which `frame_map` measures.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationError

from raysl.config.cell import CellConfig, Slot, init_from
from raysl.config.component import Chosen, Component
from raysl.config.objective_sections import SupervisedOptions
from raysl.config.options import option
from raysl.config.sections import ClipOptions, LearningRate
from raysl.errors import ConfigError
from raysl.evaluation.clip_options import ClipChange
from raysl.evaluation.downstream import batch_norm_option, check_parts, training_of, workers_option
from raysl.evaluation.protocols.frame_map import FrameMap, FrameMapOptions, metric_of
from raysl.training.optimizers.sgd import SGDOptions
from raysl.training.schedules.multistep import MultistepOptions
from raysl.views.augmentations.standard import StandardOptions

SGD = Chosen(
    "optimizer", "sgd", SGDOptions(learning_rate=LearningRate(value=0.2, at_batch=32), momentum=0.9, weight_decay=1e-6)
)
STEPS = Chosen("schedule", "multistep", MultistepOptions(milestones=(8.0, 11.0), factor=0.1))
CROP_AND_FLIP = Chosen(
    "augmentation",
    "standard",
    StandardOptions(min_area=0.5, max_area=1.0, min_aspect=0.75, max_aspect=4 / 3, jitter=0.0, grey=0.0),
)


class DetectionOptions(FrameMapOptions):
    """How the head is trained and tested; defaults are CVRL's, which prints no momentum and no weight decay."""

    train: Literal["all", "head"] | tuple[str, ...] = option(
        "all",
        doc="what is trained: all; head: that on boxes alone; modules of the backbone by name, with the head",
        source="printed: CVRL: all layers",
    )
    epochs: int = option(12, doc="passes over annotated frames", unit="epochs", source="printed: CVRL", ge=1, le=10**6)
    batch_size: int = option(
        32, doc="global batch of clips, over all workers", unit="clips", source="printed: CVRL", ge=2, le=2**20
    )
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(
        SGD, doc="the optimizer", source="printed: CVRL: 0.2 at 32"
    )
    schedule: Annotated[Chosen, Slot("schedule")] = option(
        STEPS, doc="learning rate over time", source="printed: CVRL: a tenth from epochs 8 and 11 on"
    )
    augment: Annotated[Chosen, Slot("augmentation")] = option(
        CROP_AND_FLIP, doc="augmentation of training clips, which boxes follow: standard, cvrl or none", source="ours"
    )
    dropout: float = option(
        0.0,
        doc="share of a box's feature set to zero before the classifier",
        unit="share",
        source="ours: none is printed",
        ge=0,
        lt=1,
    )
    roi_size: int = option(
        7,
        doc="bins of a box's feature in height and width",
        unit="bins",
        source="code: SlowFast; not printed",
        ge=1,
        le=32,
    )
    clip: ClipChange = option(
        ClipChange(), doc="changes to the clip of pretraining, for training and test", source="see its fields"
    )
    batch_norm: Literal["train", "eval"] = batch_norm_option("ours")
    workers: int | None = workers_option()


def trained(options: DetectionOptions, cell: CellConfig, data: Chosen) -> CellConfig:
    """The training as a cell that starts from ``cell``.

    Raises:
        ConfigError: the options do not fit the cell, or boxes cannot follow the augmentation.
    """
    try:
        found = CellConfig(
            pretraining="supervised",
            data=data,
            clip=options.clip.of(cell.clip),
            augment=options.augment,
            backbone=cell.backbone,
            init=init_from(cell),
            train=options.train,
            batch_norm_statistics="kept" if options.batch_norm == "eval" else "batch",
            supervised=SupervisedOptions(target="boxes", dropout=options.dropout, roi_size=options.roi_size),
            optimizer=options.optimizer,
            schedule=options.schedule,
            training=training_of(cell, "detection", options.epochs, options.batch_size, options.workers),
        )
    except ValidationError as error:
        raise ConfigError(f"detection: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    if not _keeps_boxes(options.augment, found.clip) or found.temporal.buffer_frames:
        raise ConfigError(
            f"detection: augment {options.augment.name!r} moves pixels or frames other than by one crop and one "
            "flip of the whole clip, which boxes cannot follow: use standard, cvrl or none, temporally consistent"
        )
    check_parts("detection", found)
    return found


def _keeps_boxes(augment: Chosen, clip: ClipOptions) -> bool:
    known = augment.component.keeps_boxes
    return bool(augment.build(clip).keeps_boxes if known is None else known(augment.options))


def _downstream(options: DetectionOptions, cell: CellConfig, data: Chosen) -> tuple[CellConfig, Chosen]:
    test = FrameMapOptions(boxes=options.boxes, min_score=options.min_score)
    return trained(options, cell, data), Chosen("protocol", "frame_map", test)


def _check(options: DetectionOptions, cell: CellConfig) -> None:
    trained(options, cell, cell.data)


COMPONENT = Component(
    kind="protocol",
    options=DetectionOptions,
    build=FrameMap,
    check=_check,
    downstream=_downstream,
    metrics=lambda options: (metric_of(options),),
    boxes=True,
)
