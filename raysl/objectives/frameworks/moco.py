"""MoCo: a clip's key, from a slowly moving copy of the encoder, against a queue of the keys of earlier batches.

He et al. 2020, https://arxiv.org/abs/1911.05722 (v1) and Chen et al. 2020, https://arxiv.org/abs/2003.04297 (v2: an MLP
as head, temperature 0.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.objectives.losses.info_nce import info_nce, queue_logits
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.losses.reduction import Reduction, reduced, reduction_option
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.key_queue import KeyQueue, TransformedKeys
from raysl.objectives.memory.target_encoder import TargetEncoder, momentum_at, shuffled
from raysl.objectives.tasks.transformed import TransformedViewLosses, original_weight_option, sum_over_tasks
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


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


class MoCo(Term):
    """InfoNCE of each query with its key against the queue.

    The momentum encoder moves before the keys are computed; the batch's keys enter the queue after the step.

    A task's own view is a query against the key of the original clip (``key``) and the queue of such keys, or, with
    ``anchor: original``, a key for the query of the original clip (``query``): `TransformedKeys`.

    Metrics: ``contrastive_accuracy`` (share of queries nearer to their key than to the whole queue),
    ``contrastive_entropy`` (nats, of a query's softmax over both) and those of `representation_metrics`, of queries and
    keys.
    """

    compares_across_batch = False

    def __init__(self, options: MoCoOptions, context: TermContext) -> None:
        super().__init__()
        self.options = options
        self.projector = context.projector(options.projector)
        self.target = TargetEncoder(context.backbone, self.projector, context.chunk)
        self.queue = KeyQueue(self.projector.output_dim, options.queue_size)
        self.transformed = TransformedViewLosses(context, self.projector.output_dim)
        self.transformed_keys: TransformedKeys | None = None
        if options.anchor == "original":
            self.transformed.requires_grad_(False)
            tasks = self.transformed.tasks
            self.transformed_keys = TransformedKeys(tasks, self.projector.output_dim, options.queue_size)
        self._online = ("query",) if options.symmetric == "one_way" else ("query", "key")
        self.compares_across_batch = options.reduction == "sum"
        self._seed, self._total_steps, self._step = context.seed, context.total_steps, 0
        self._keys: list[Tensor] = []

    @property
    def view_names(self) -> tuple[str, ...]:
        return (*self._online, *(self.transformed.view_names if self.transformed_keys is None else ()))

    @property
    def target_view_names(self) -> tuple[str, ...]:
        return (*self._originals, *(() if self.transformed_keys is None else self.transformed.view_names))

    @property
    def _originals(self) -> tuple[str, ...]:
        """The views of the original clip whose keys enter the queue."""
        return ("key",) if self.options.symmetric == "one_way" else ("key", "query")

    def begin_step(self, step: int, backbone: Backbone) -> None:
        options = self.options
        momentum = momentum_at(step, self._total_steps, options.momentum, options.momentum_schedule)
        self.target.update(backbone, self.projector, momentum)
        self._step, self._keys = step, []
        if self.transformed_keys is not None:
            self.transformed_keys.begin_step()

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        queries = self.projector(torch.cat([features[name] for name in self._online])).chunk(len(self._online))
        keys = [unit_rows(self._seen(self.target, batch, name)) for name in self._originals]
        of_tasks = {} if self.transformed_keys is None else self._keys_of_tasks(batch)
        self._keys.append(torch.stack(keys))
        results = [
            info_nce(queue_logits(query, key, self.queue.columns, self.options.temperature))
            for query, key in zip(queries, keys, strict=True)
        ]
        metrics: dict[str, Tensor] = {}
        if self.measures:
            accuracy, entropy = (torch.stack(values).mean() for values in list(zip(*results, strict=True))[1:])
            metrics = {"contrastive_accuracy": accuracy, "contrastive_entropy": entropy}
            metrics |= representation_metrics(queries[0], keys[0])
        own = TermOutput(self._reduced(torch.stack([result.loss for result in results]).mean(), keys[0]), metrics)
        weight, temperature = self.options.original_weight, self.options.temperature
        if self.transformed_keys is not None:
            losses = self.transformed_keys.losses(queries[0], of_tasks, temperature)
            return sum_over_tasks(own, {task: self._reduced(loss, keys[0]) for task, loss in losses.items()}, weight)

        def against(embedding: Tensor) -> Tensor:
            logits = queue_logits(embedding, keys[0], self.queue.columns, temperature)
            return self._reduced(info_nce(logits).loss, keys[0])

        return self.transformed.added_to(own, features, weight, against)

    def _reduced(self, loss: Tensor, rows: Tensor) -> Tensor:
        return reduced(loss, len(rows), self.options.reduction)

    @torch.no_grad()
    def _keys_of_tasks(self, batch: Batch) -> dict[str, Tensor]:
        """By task, ``[B, d]`` of length 1, of its views through the momentum backbone and the task's projection."""
        pooled = {name: self._seen(self.target.pooled, batch, name) for name in self.transformed.view_names}
        return {task: unit_rows(embedding) for task, embedding in self.transformed.embed(pooled).items()}

    def _seen(self, network: Callable[[Tensor], Tensor], batch: Batch, view: str) -> Tensor:
        """A view through the momentum encoder, without gradient. Collective where keys are shuffled."""
        clips = batch.views[view].clips
        if not self.options.shuffle:
            return network(clips)
        return shuffled(network, clips, self._seed, self._step, len(self._keys), view, "shuffle")

    def end_step(self) -> None:
        for keys in self._keys:
            self.queue.enqueue(keys)
        self._keys = []
        if self.transformed_keys is not None:
            self.transformed_keys.end_step()


def _build(options: MoCoOptions, context: TermContext) -> MoCo:
    return MoCo(options, context)


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


COMPONENT = Component(kind="framework", options=MoCoOptions, build=_build, check=_check)
