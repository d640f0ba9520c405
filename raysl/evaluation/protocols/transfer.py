"""Transfer to pretext tasks: trains a task from the cell's backbone and measures it on held-out videos.

TaCo trains all layers after contrastive pretraining (Figure 4) or another task (Figure 6), or the last (Figure 7).

TaCo's criterion for choosing and combining tasks. The training is a separate cell (`raysl.evaluation.downstream`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationError

from raysl.config.cell import CellConfig, ObjectiveOptions, SamplingOptions, Slot, init_from
from raysl.config.component import Chosen, Component
from raysl.config.identity import resolved
from raysl.config.load import cell_from
from raysl.config.options import option
from raysl.config.sections import LearningRate
from raysl.errors import ConfigError
from raysl.evaluation.downstream import batch_norm_option, training_of, workers_option
from raysl.evaluation.network_protocol import NetworkOptions
from raysl.evaluation.protocols.task_accuracy import TaskAccuracy, TaskAccuracyOptions
from raysl.evaluation.protocols.task_accuracy import _check as check_tasks
from raysl.training.optimizers.sgd import SGDOptions
from raysl.training.schedules.cosine import CosineOptions
from raysl.views.pairs.random import COMPONENT as RANDOM

SGD = Chosen(
    "optimizer", "sgd", SGDOptions(learning_rate=LearningRate(value=0.2, at_batch=128), momentum=0.9, weight_decay=1e-4)
)


class TransferOptions(NetworkOptions):
    """Which task is trained, and how. TaCo does not print the training; defaults are its fine-tuning, shortened."""

    task: Annotated[dict[str, Chosen], Slot("pretext task", many=True)] = option(
        doc="the pretext task that is trained, with its options",
        source="printed: TaCo: rotation, reverse, shuffle, speed",
        examples=[{"rotation": {}}],
    )
    train: Literal["all", "head"] | tuple[str, ...] = option(
        "all",
        doc="what is trained: all; head: the task's head alone; modules of the backbone by name, with the head",
        source="printed: TaCo Figure 4 all; Figure 7 head",
    )
    epochs: int = option(50, doc="passes over the training videos", unit="epochs", source="ours", ge=1, le=10**6)
    batch_size: int = option(
        128, doc="global batch, over all workers", unit="videos", source="printed: TaCo fine-tuning", ge=2, le=2**20
    )
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(
        SGD, doc="the optimizer", source="printed: TaCo fine-tuning"
    )
    schedule: Annotated[Chosen, Slot("schedule")] = option(
        Chosen("schedule", "cosine", CosineOptions()), doc="learning rate over time", source="ours"
    )
    batch_norm: Literal["train", "eval"] = batch_norm_option("ours")
    workers: int | None = workers_option()


def transferred(options: TransferOptions, cell: CellConfig, data: Chosen) -> CellConfig:
    """The training of the task as a cell that starts from ``cell``, with its clip, augmentation and backbone.

    Raises:
        ConfigError: the options do not fit the cell.
    """
    pair = cell.sampling.pair or Chosen("pair sampler", "random", RANDOM.options())
    try:
        found = CellConfig(
            data=data,
            clip=cell.clip,
            sampling=SamplingOptions(pair=pair, playback_rates=cell.sampling.playback_rates),
            augment=cell.augment,
            backbone=cell.backbone,
            init=init_from(cell),
            train=options.train,
            batch_norm_statistics="kept" if options.batch_norm == "eval" else "batch",
            objective=ObjectiveOptions(pretext=options.task),
            optimizer=options.optimizer,
            schedule=options.schedule,
            training=training_of(cell, "transfer", options.epochs, options.batch_size, options.workers),
        )
        cell_from(resolved(found), "transfer")  # lets the task refuse combinations
    except ValidationError as error:
        raise ConfigError(f"transfer: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    check_tasks(TaskAccuracyOptions(), found)
    return found


def _downstream(options: TransferOptions, cell: CellConfig, data: Chosen) -> tuple[CellConfig, Chosen]:
    return transferred(options, cell, data), Chosen("protocol", "task_accuracy", TaskAccuracyOptions())


def _check(options: TransferOptions, cell: CellConfig) -> None:
    if len(options.task) != 1:
        raise ConfigError(f"transfer: task has {len(options.task)} tasks: name the one that is trained")
    transferred(options, cell, cell.data)


def _metrics(options: TransferOptions) -> tuple[str, ...]:
    (name,) = options.task or ("task",)
    return ("accuracy", name, f"{name}_majority")


COMPONENT = Component(
    kind="protocol",
    options=TransferOptions,
    build=TaskAccuracy,
    check=_check,
    downstream=_downstream,
    metrics=_metrics,
)
