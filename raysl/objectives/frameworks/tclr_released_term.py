"""The term of `tclr_released`; its options and sources stand in `raysl.objectives.frameworks.tclr_released`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.distributed import all_gather, rank
from raysl.objectives.frameworks.tclr_released import TCLRReleasedOptions
from raysl.objectives.losses.nt_xent import nt_xent, unit_rows
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.temporal.window_features import COPIES, embed, local_names, local_rows, pooled_in_space
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class TCLRReleased(Term):
    """NT-Xent between the global copies, plus a quarter of the sum of it over all pairs of local views.

    The code divides by 4 for the four pairs of copies, at any number of timesteps.

    Metrics: ``contrastive_accuracy``, ``contrastive_entropy`` and those of `representation_metrics`, of the global
    copies.
    """

    compares_across_batch = True

    def __init__(self, options: TCLRReleasedOptions, context: TermContext) -> None:
        super().__init__()
        self.options, self._timesteps = options, context.timesteps
        self.projector = context.projector(options.projector)

    @property
    def _local_names(self) -> tuple[str, ...]:
        return tuple(name for copy in COPIES for name in local_names(self._timesteps, copy))

    @property
    def view_names(self) -> tuple[str, ...]:
        return (*(f"global{copy}" for copy in COPIES), *self._local_names)

    def reduce(self, feature_map: Tensor) -> Tensor:
        return pooled_in_space(feature_map)

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        first, copy, *local = embed(self.projector, local_rows(features, self.view_names))
        result = nt_xent(first, copy, self.options.temperature)
        pairs = nt_xent_of_all_pairs(torch.stack(local, dim=1), self.options.temperature)
        metrics = {**result.metrics, **representation_metrics(first, copy)} if self.measures else {}
        return TermOutput(result.loss + pairs / len(COPIES) ** 2, metrics)


def nt_xent_of_all_pairs(embeddings: Tensor, temperature: float) -> Tensor:
    """The sum over ordered pairs of different views of their NT-Xent against the global batch, a scalar.

    ``V (V - 1) ln(2 N - 1)`` for orthogonal embeddings of V views of N videos.

    Args:
        embeddings: ``[B, V, d]`` float of any length (normalised here), V views of this rank's B videos.
        temperature: divides the cosines; greater than 0.

    Raises:
        ValueError: the shape is another, the temperature is not positive, or there is no second video to contrast with.
    """
    if embeddings.ndim != 3:
        raise ValueError(f"embeddings must be [B, V, d], got {list(embeddings.shape)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be greater than 0, got {temperature}")
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = unit_rows(embeddings)
        every = all_gather(rows)
        if len(every) < 2:
            raise ValueError("NT-Xent needs at least two videos in the global batch: the others are the negatives")
        logits = torch.einsum("bud,nvd->buvn", rows, every) / temperature
        video = torch.arange(len(rows), device=rows.device) + rank() * len(rows)
        own = torch.nn.functional.one_hot(video, len(every)).bool()[:, None, None]
        positive = logits[torch.arange(len(rows), device=rows.device), :, :, video]
        others = logits.masked_fill(own, -torch.inf).logsumexp(dim=3)
        same_view = others.diagonal(dim1=1, dim2=2)[:, :, None]
        denominator = torch.logaddexp(torch.logaddexp(same_view, others), positive)
        pairs, views = (denominator - positive).flatten(1), rows.shape[1]
        # All but the diagonal. Not by a mask, for whose size the host would wait.
        different = pairs[:, :-1].view(len(rows), views - 1, views + 1)[:, :, 1:].flatten(1)
        return different.sum(dim=1).mean()
