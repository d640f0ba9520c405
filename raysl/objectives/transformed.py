"""A framework's contrast of the views that pretext tasks transformed, with the original clip (TaCo Eq. 1 and 2).

Every task n has a projection of its own; its embedding takes the place of the query's in the framework's loss, which
gives l_n. With l_0 the loss of the original clip alone and N tasks the contrastive loss is
``sum_n (1 - w) l_n + w l_0``: w = 1/2 is PIRL's form (https://arxiv.org/abs/1912.01991, section 3.2) [I], w = 0 is
TaCo's Eq. 2 to the letter, in which nothing trains the projector of the original. Without tasks it is l_0.

Shapes: B videos of this rank, D feature channels, d embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from raysl.config.options import option
from raysl.objectives.task_heads import TaskProjection
from raysl.objectives.term import TermContext, TermOutput


def original_weight_option() -> Any:
    """The option ``original_weight`` of every framework."""
    return option(
        0.5,
        doc="w, share of the original clip's loss beside that of each task's view; of no effect without such views",
        source="[I] TaCo after PIRL: 0.5; [P] TaCo Eq. 2: 0",
        ge=0,
        le=1,
    )


class TransformedViewLosses(nn.Module):
    """The projections of all tasks, and the sum of their losses.

    Args:
        context: says which tasks have views, and how their projections look.
        output_dim: d, of the framework's embeddings.
    """

    def __init__(self, context: TermContext, output_dim: int) -> None:
        super().__init__()
        self._views = {name: views.names for name, views in context.transformed.items()}
        self.projections = nn.ModuleList(
            TaskProjection(context.feature_dim, len(views.names), views.hidden_dim, output_dim)
            for views in context.transformed.values()
        )

    @property
    def view_names(self) -> tuple[str, ...]:
        return tuple(view for names in self._views.values() for view in names)

    def embed(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By task, ``[B, d]``, not normalised."""
        return {
            task: projection(torch.stack([features[name] for name in names], dim=1))
            for (task, names), projection in zip(self._views.items(), self.projections, strict=True)
        }

    def added_to(
        self, own: TermOutput, features: Mapping[str, Tensor], weight: float, against: Callable[[Tensor], Tensor]
    ) -> TermOutput:
        """The framework's output with the losses of the tasks' views.

        Args:
            own: of the original clip.
            weight: w.
            against: the framework's loss with an embedding ``[B, d]`` in the place of the query's.

        Returns:
            Metrics have ``contrast_<task>`` besides, l_n.
        """
        losses = {task: against(embedding) for task, embedding in self.embed(features).items()}
        if not losses:
            return own
        total = torch.stack([(1 - weight) * loss + weight * own.loss for loss in losses.values()]).sum()
        told = {f"contrast_{task}": loss.detach() for task, loss in losses.items()}
        return TermOutput(total, {**own.metrics, **told})
