"""MoCo: a clip's key, from a slowly moving copy of the encoder, against a queue of the keys of earlier batches.

He et al. 2020, https://arxiv.org/abs/1911.05722 (v1) and Chen et al. 2020, https://arxiv.org/abs/2003.04297 (v2: an MLP
as head, temperature 0.2).
"""

from __future__ import annotations

from typing import Literal

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError
from raysl.objectives.tasks.task_options import Reduction, original_weight_option, reduction_option


class MoCoOptions(Options):
    """Options of MoCo."""

    temperature: float = option(
        0.07,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="printed: MoCo 3.3, TaCo; v2: 0.2; code: PySlowFast 0.1",
        gt=0,
        le=100,
    )
    queue_size: int = option(
        65536,
        doc="keys that are kept as negatives; a multiple of the keys of a batch",
        unit="keys",
        source="printed: MoCo 4.1; code: CoCLR 2048 for UCF101, 16384 for Kinetics-400",
        ge=2,
        le=2**24,
    )
    momentum: float = option(
        0.999,
        doc="share of the old momentum encoder that an update keeps",
        unit="share",
        source="printed: MoCo 3.3",
        ge=0,
        le=1,
    )
    momentum_schedule: Literal["constant", "cosine"] = option(
        "constant",
        doc="cosine: the momentum rises to 1 at the end of training",
        source="printed: MoCo; code: PySlowFast cosine from 0.994",
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        ProjectorOptions(),
        doc="from the pooled feature to the embedding",
        source="printed: v2: an MLP, there without batch norm; v1, TaCo: one linear layer (hidden_layers 0)",
    )
    weight: float = option(
        1.0,
        doc="factor of this term in the sum that is minimised",
        unit=NO_UNIT,
        source="printed: the only term",
        ge=0,
        le=1e6,
    )
    original_weight: float = original_weight_option()
    anchor: Literal["transformed", "original"] = option(
        "transformed",
        doc="which clip is the query when a task's own view is contrasted with the original; original: its keys have a "
        "separate queue, and its projection, which only keys pass, stays as drawn; of no effect without such views",
        source="printed: TaCo Eq. 1: transformed; its introduction and Figure 3: original",
    )
    symmetric: Literal["mean", "one_way"] = option(
        "one_way",
        doc="the clip `query` against the key of `key` alone, or both directions averaged (two keys a video)",
        source="printed: MoCo Alg. 1: one_way",
    )
    shuffle: bool = option(
        False,
        doc="whether keys are computed in batch-norm groups of other videos than the queries'; "
        "needs a batch_norm_group smaller than the batch",
        source="printed: TaCo: synchronised instead; MoCo 3.3, CSTP: shuffled",
    )
    reduction: Reduction = reduction_option()


def _check(options: MoCoOptions, cell: CellConfig) -> None:
    keys = cell.training.batch_size * (1 if options.symmetric == "one_way" else 2)
    if options.queue_size % keys:
        raise ConfigError(
            f"objective.contrastive.queue_size {options.queue_size} is not a multiple of the {keys} keys that a batch "
            f"of training.batch_size {cell.training.batch_size} gives: batches replace whole parts of the queue; take "
            f"{max(round(options.queue_size / keys), 1) * keys}"
        )
    if options.shuffle and cell.batch_norm_group in ("batch", cell.training.batch_size):
        raise ConfigError(
            f"objective.contrastive.shuffle: true does nothing where batch norm is over the whole batch, "
            f"batch_norm_group: {cell.batch_norm_group}; give a smaller group that divides training.batch_size "
            f"{cell.training.batch_size}, or leave shuffle out"
        )


COMPONENT = Component(
    kind="framework", options=MoCoOptions, build=later("raysl.objectives.frameworks.moco_term", "MoCo"), check=_check
)
