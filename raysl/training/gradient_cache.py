"""Gradient caching: the gradient of a whole batch in the memory that a part of it needs.

Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
https://arxiv.org/abs/2101.06983, section 3.2. A loss that compares samples needs all features at once, but the network
that makes them does not: given the gradient of the loss with respect to the features, the backward pass through the
network is a sum over samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from raysl.distributed import average_over_ranks
from raysl.models.batch_norm import frozen_statistics
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Features, Objective, ObjectiveOutput
from raysl.training.precision import Precision, autocast
from raysl.views.batch import Batch


class GradientCache:
    """Runs an objective's backbone on a chunk of this rank's videos at a time; heads and losses see all of them.

    Batch norms keep their groups, which must be within a chunk, so the loss, its gradient and the running statistics
    are those of the batch in one piece, up to rounding. The backbone runs forward twice.

    Args:
        objective: with the batch norms of ``grouping``.
        chunk: videos; divides a rank's share.
    """

    def __init__(
        self, objective: Objective, grouping: Grouping, chunk: int, device: torch.device, precision: Precision
    ) -> None:
        if grouping.share % chunk:
            raise ValueError(f"a chunk of {chunk} videos does not divide the {grouping.share} of a rank")
        self.objective, self.grouping, self.chunk = objective, grouping, chunk
        self._device, self._precision = device, precision

    def backward(self, batch: Batch, factor: float = 1.0) -> ObjectiveOutput:
        """Adds ``factor`` times the gradient of this rank's loss to the parameters'; `average_gradients` follows.

        Returns:
            What the objective gives for the batch; its loss carries no gradient any more.
        """
        draws: list[_Draws] = []
        features = self._features(batch, draws)
        with self._autocast():
            output = self.objective.losses(features, batch)
        (output.loss * factor).backward()  # type: ignore[no-untyped-call]
        again = iter(draws)
        for names, rows in self._passes(batch):
            with next(again).repeated():
                self._backward_chunk(features, batch, names, rows)
        return output

    def _features(self, batch: Batch, draws: list[_Draws]) -> Features:
        """The features of all chunks, ``[B, ...]`` leaves that will hold their gradients; no activations are kept."""
        parts: dict[tuple[str, str], list[Tensor]] = {}
        with torch.no_grad(), frozen_statistics(self.objective.backbone):
            for names, rows in self._passes(batch):
                draws.append(_Draws(self._device))
                for term, view, part in _each(self._forward(batch, names, rows)):
                    parts.setdefault((term, view), []).append(part)
        features: Features = {name: {} for name in self.objective.weights}
        for (term, view), found in parts.items():
            features[term][view] = torch.cat(found).requires_grad_()
        return features

    def _backward_chunk(self, features: Features, batch: Batch, names: list[str], rows: slice) -> None:
        chunk = self._forward(batch, names, rows)
        pairs = [(part, features[term][view].grad) for term, view, part in _each(chunk)]
        used = [(part, gradient[rows]) for part, gradient in pairs if gradient is not None and part.requires_grad]
        if used:
            torch.autograd.backward([part for part, _ in used], [gradient for _, gradient in used])

    def _forward(self, batch: Batch, names: list[str], rows: slice) -> Features:
        # A separate context: autocast caches the weights it has cast, without gradient if cast under no_grad.
        with self._autocast(), self.grouping.window(rows.start, self.chunk):
            return self.objective.reduced(self.objective.together(batch, names, rows))

    def _passes(self, batch: Batch) -> Iterator[tuple[list[str], slice]]:
        """All chunks of views of one shape before those of the next: batch norms track one batch at a time."""
        for names in self.objective.same_shapes(batch):
            for first in range(0, self.grouping.share, self.chunk):
                yield names, slice(first, first + self.chunk)

    def _autocast(self) -> torch.autocast:
        return autocast(self._device, self._precision)


def average_gradients(module: nn.Module) -> None:
    """Replaces every gradient by its mean over ranks, as DDP does. Collective."""
    average_over_ranks([parameter.grad for parameter in module.parameters() if parameter.grad is not None])


def _each(features: Features) -> Iterator[tuple[str, str, Tensor]]:
    for term, views in features.items():
        for view, feature in views.items():
            yield term, view, feature


class _Draws:
    """The state of torch's generators before a chunk's first pass, so that dropout is the same in its second."""

    def __init__(self, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        self._cpu = torch.get_rng_state()
        self._cuda = [torch.cuda.get_rng_state(device) for device in self._devices]

    @contextmanager
    def repeated(self) -> Iterator[None]:
        with torch.random.fork_rng(self._devices):
            torch.set_rng_state(self._cpu)
            for device, state in zip(self._devices, self._cuda, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
