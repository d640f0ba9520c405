"""Protocols that train a classifier from a cell's backbone: their options, and the cell of the training.

The defaults are CVRL's for UCF101 and HMDB51 (Qian et al. 2021, https://arxiv.org/abs/2008.03800, 4.3); recipes set
those of the other papers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from raysl.config.cell import CellConfig, ObjectiveOptions, SamplingOptions, Slot, augmenting_tasks, init_from
from raysl.config.component import Chosen
from raysl.config.objective_sections import SupervisedOptions
from raysl.config.options import option
from raysl.config.sections import ClipOptions, LearningRate, TrainingOptions
from raysl.errors import ConfigError
from raysl.evaluation.classifier_options import ClassifierOptions
from raysl.evaluation.clip_options import ClipChange
from raysl.models.backbone_options import FeatureNorm
from raysl.streams import stream
from raysl.training.optimizers.sgd import SGDOptions
from raysl.training.schedules.cosine import CosineOptions
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.task_views import check_conflicts, task_views

SGD = Chosen(
    "optimizer", "sgd", SGDOptions(learning_rate=LearningRate(value=0.16, at_batch=128), momentum=0.9, weight_decay=0.0)
)
CROP_AND_FLIP = Chosen("augmentation", "standard", StandardOptions(jitter=0.0, grey=0.0))


def batch_norm_option(source: str) -> Any:
    """The option ``batch_norm`` of a protocol that trains from a cell's backbone.

    Args:
        source: of its default.
    """
    return option(
        "train",
        doc="the backbone's batch norms while training: statistics of the batch, or those of pretraining, kept",
        source=source,
    )


def workers_option() -> Any:
    """The option ``workers`` of a protocol that trains; it enters no id."""
    return option(
        None,
        doc="DDP workers; null: as many as pretraining",
        unit="workers",
        source="ours",
        ge=1,
        le=4096,
        identity=False,
    )


class DownstreamOptions(ClassifierOptions):
    """Options of protocols that train a classifier from a cell's backbone. Defaults are those of fine-tuning.

    Attributes:
        protocol: its name in messages.
    """

    protocol: ClassVar[str] = "finetune"

    epochs: int = option(
        50,
        doc="passes over the training videos",
        unit="epochs",
        source="printed: CVRL; CSTP 100, SSTL 120, TaCo 200",
        ge=1,
        le=10**6,
    )
    batch_size: int = option(
        128,
        doc="global batch, over all workers",
        unit="videos",
        source="printed: CVRL, TaCo; code: CSTP 60, TCLR 32",
        ge=2,
        le=2**20,
    )
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(
        SGD, doc="the optimizer of backbone and classifier", source="printed: CVRL: SGD, 0.16 at batch 128; ours: wd 0"
    )
    schedule: Annotated[Chosen, Slot("schedule")] = option(
        Chosen("schedule", "cosine", CosineOptions()),
        doc="learning rate over time",
        source="printed: CVRL; ours: no warm-up",
    )
    augment: Annotated[Chosen, Slot("augmentation")] = option(
        CROP_AND_FLIP,
        doc="spatial augmentation of training clips",
        source="printed: CVRL: cropping, resizing, flipping",
    )
    strides: tuple[Annotated[int, Field(ge=1, le=64)], ...] | None = option(
        None,
        doc="strides of training clips, of which one that fits the video is drawn for each: the augmentation of "
        "sampling.playback_rates; null: the stride of test clips",
        unit="frames",
        source="printed: CSTP Table 1: playback augmentation without the task; code: its strides 1, 2, 4, 8",
        min_length=1,
    )
    pretext: Annotated[dict[str, Chosen], Slot("pretext task", many=True)] = option(
        {},
        doc="pretext tasks that change training clips, each with view: pair and supervise: false",
        source="printed: CSTP Table 1: rotation augmentation without the task",
    )
    dropout: float = option(
        0.0, doc="share of feature channels set to zero before the classifier", unit="share", source="ours", ge=0, lt=1
    )
    feature_norm: FeatureNorm = option(
        "none",
        doc="what is done to the pooled feature before the classifier; l2_batch_norm: unit length, then batch norm",
        source="ours; code: CSTP l2_batch_norm",
    )
    label_smoothing: float = option(
        0.0,
        doc="share of the target spread evenly over all classes",
        unit="share",
        source="ours: none is mentioned",
        ge=0,
        lt=1,
    )
    label_fraction: float = option(
        1.0,
        doc="share of the labelled training videos that is used, the same of every class and at least one of each",
        unit="share",
        source="printed: CVRL Tables 3 and 11: 0.01, 0.1; TCLR: 0.01 to 0.5",
        gt=0,
        le=1,
    )
    clip: ClipChange = option(
        ClipChange(), doc="changes to the clip of pretraining, for training and test", source="see its fields"
    )
    batch_norm: Literal["train", "eval"] = batch_norm_option("code: CSTP, TCLR: train")
    workers: int | None = workers_option()

    @model_validator(mode="after")
    def _augmentation_alone(self) -> DownstreamOptions:
        if self.strides is not None and list(self.strides) != sorted(set(self.strides)):
            raise ValueError(f"strides must increase: {list(self.strides)}")
        others = self.pretext.keys() - augmenting_tasks(self.pretext).keys()
        if others:
            raise ValueError(
                f"pretext.{min(others)}: fine-tuning learns the labels alone, so a task may only change its clips; "
                "give it view: pair and supervise: false"
            )
        return self

    @property
    def trained(self) -> Literal["all", "head"] | tuple[str, ...]:
        """What is trained, in the form of `CellConfig.train`."""
        return "all"

    def train_clip(self, cell: CellConfig) -> tuple[ClipOptions, SamplingOptions]:
        """The training clips: their stride is the largest that divides all of `strides`, with the resulting rates."""
        clip = self.clip.of(cell.clip)
        if self.strides is None:
            return clip, SamplingOptions()
        stride = math.gcd(*self.strides)
        rates = tuple(own // stride for own in self.strides)
        return clip.model_copy(update={"stride": stride}), SamplingOptions(playback_rates=rates)


def training_of(cell: CellConfig, protocol: str, epochs: int, batch_size: int, workers: int | None) -> TrainingOptions:
    """A training downstream of a cell, with the cell's precision, loader and, unless ``workers`` is set, workers.

    Its seed is drawn from the cell's, so order, crops and dropout differ from those of pretraining.

    Raises:
        ConfigError: the batch does not divide by the workers.
    """
    training = cell.training
    key, number = ("training.workers", training.workers) if workers is None else ("workers", workers)
    if batch_size % number:
        raise ConfigError(f"{protocol}: batch_size {batch_size} does not divide by {key} {number}, which train it")
    return TrainingOptions(
        epochs=epochs,
        batch_size=batch_size,
        precision=training.precision,
        workers=number,
        seed=int(stream(training.seed, "finetune").integers(2**31 - 1)),
        loader_workers=training.loader_workers,
        threads=training.threads,
        max_unreadable=training.max_unreadable,
        monitor=training.monitor,
    )


def fine_tuned(options: DownstreamOptions, cell: CellConfig, data: Chosen) -> CellConfig:
    """The training as a cell that starts from ``cell``, with its backbone, precision and loader (`training_of`).

    Raises:
        ConfigError: the options do not fit the cell.
    """
    training = training_of(cell, options.protocol, options.epochs, options.batch_size, options.workers)
    given: Mapping[str, Any] = {
        "pretraining": "supervised",
        "data": data,
        "augment": options.augment,
        "backbone": cell.backbone,
        "init": init_from(cell),
        "train": options.trained,
        "batch_norm_statistics": "kept" if options.batch_norm == "eval" else "batch",
        "optimizer": options.optimizer,
        "schedule": options.schedule,
    }
    try:
        clip, sampling = options.train_clip(cell)
        found = CellConfig(
            **given,
            clip=clip,
            sampling=sampling,
            objective=ObjectiveOptions(pretext=options.pretext),
            supervised=SupervisedOptions(
                dropout=options.dropout,
                feature_norm=options.feature_norm,
                label_smoothing=options.label_smoothing,
                label_fraction=options.label_fraction,
            ),
            training=training,
        )
    except ValidationError as error:
        raise ConfigError(f"{options.protocol}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    check_conflicts(task_views(found))
    check_parts(options.protocol, found)
    return found


def check_parts(protocol: str, training: CellConfig) -> None:
    """Lets augmentation, optimizer and schedule refuse combinations.

    Raises:
        ConfigError: with the reason.
    """
    for chosen in (training.augment, training.optimizer, training.schedule):
        if chosen.component.check is not None:
            try:
                chosen.component.check(chosen.options, training)
            except ConfigError as error:
                raise ConfigError(f"{protocol}: its training: {error}") from error


def downstream(options: DownstreamOptions, cell: CellConfig, data: Chosen) -> tuple[CellConfig, Chosen]:
    """`Component.downstream`: the training, and the test of its classifier on the configured clips."""
    training, wanted = fine_tuned(options, cell, data), options.clip.of(cell.clip)
    stride = None if training.clip.stride == wanted.stride else wanted.stride
    test = ClassifierOptions(
        clips=options.clips, crops=options.crops, average=options.average, clip=ClipChange(stride=stride)
    )
    return training, Chosen("protocol", "classifier", test)


def check(options: DownstreamOptions, cell: CellConfig) -> None:
    """`Component.check`."""
    fine_tuned(options, cell, cell.data)
