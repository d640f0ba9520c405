"""A framework's contrast of the views that pretext tasks transformed, with the original clip (TaCo Eq. 1 and 2).

Every task n has its own projection; its embedding replaces the query's in the framework's loss, which gives l_n. With
l_0 the loss of the original clip alone and N tasks the contrastive loss is
``sum_n (1 - w) l_n + w l_0``, so l_0 counts once for each task: w = 1/2 is PIRL's form
(https://arxiv.org/abs/1912.01991, section 3.2; inferred), w = 0 is TaCo's Eq. 2 to the letter, in which nothing trains
the projector of the original. Without tasks it is l_0.

Shapes: B videos of this rank, D feature channels, d embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from raysl.objectives.tasks.heads import TaskProjection
from raysl.objectives.term import TermContext, TermOutput
from raysl.streams import drawn_from


def sum_over_tasks(own: TermOutput, losses: Mapping[str, Tensor], weight: float) -> TermOutput:
    """``sum_n (1 - w) l_n + w l_0``; ``own`` itself without tasks.

    Args:
        own: of the original clip; its loss is l_0.
        losses: by task, l_n, scalars.
        weight: w, 0 to 1.

    Returns:
        Metrics are those of ``own`` and ``contrast_<task>``, l_n.
    """
    if not losses:
        return own
    total = torch.stack([(1 - weight) * loss + weight * own.loss for loss in losses.values()]).sum()
    told = {f"contrast_{task}": loss.detach() for task, loss in losses.items()}
    return TermOutput(total, {**own.metrics, **told})


class TransformedViewLosses(nn.Module):
    """The projections of all tasks, each drawn from its own stream; without tasks it has no parameters.

    Args:
        context: has the tasks that have views, and the sizes of their projections.
        output_dim: d, of the framework's embeddings.
    """

    def __init__(self, context: TermContext, output_dim: int) -> None:
        super().__init__()
        self._views = {name: views.names for name, views in context.transformed.items()}
        self.projections = nn.ModuleList()
        for task, views in context.transformed.items():
            with drawn_from(context.seed, "init", task, "projection"):
                projection = TaskProjection(context.feature_dim, len(views.names), views.hidden_dim, output_dim)
            self.projections.append(projection)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self._views)

    @property
    def view_names(self) -> tuple[str, ...]:
        return tuple(view for names in self._views.values() for view in names)

    def embed(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By task, ``[B, d]``, not normalised, from the pooled features ``[B, D]`` of its views."""
        return {
            task: projection(torch.stack([features[name] for name in names], dim=1))
            for (task, names), projection in zip(self._views.items(), self.projections, strict=True)
        }

    def added_to(
        self, own: TermOutput, features: Mapping[str, Tensor], weight: float, against: Callable[[Tensor], Tensor]
    ) -> TermOutput:
        """`sum_over_tasks` where every task's embedding is an anchor.

        Args:
            own: of the original clip.
            weight: w.
            against: the framework's loss with an embedding ``[B, d]`` instead of the query's.
        """
        losses = {task: against(embedding) for task, embedding in self.embed(features).items()}
        return sum_over_tasks(own, losses, weight)
