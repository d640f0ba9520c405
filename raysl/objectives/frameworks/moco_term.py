"""The term of `moco`; its options and sources stand in `raysl.objectives.frameworks.moco`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from raysl.models.backbone import Backbone
from raysl.objectives.frameworks.moco import MoCoOptions
from raysl.objectives.losses.info_nce import info_nce, queue_logits
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.losses.reduction import reduced
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.memory.key_queue import KeyQueue, TransformedKeys
from raysl.objectives.memory.target_encoder import TargetEncoder, momentum_at, shuffled
from raysl.objectives.tasks.transformed import TransformedViewLosses, sum_over_tasks
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


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
