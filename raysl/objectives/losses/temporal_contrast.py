"""TCLR's temporal losses as pure functions of embeddings, vectorised over videos and timesteps.

Dave et al. 2022, "TCLR: Temporal Contrastive Learning for Video Representation", https://arxiv.org/abs/2101.07974,
Eq. 2 to 4 (not in our source text; inferred from its prose and the released code). With h(u, v) = exp(cos(u, v) /
t), G and G' the embeddings of a video's local clips in two augmented copies, g those of its global clip's timesteps:

- local-local: ``- sum_p log h(G_p, G'_p) / sum_q [1_{q != p} h(G_p, G_q) + h(G_p, G'_q)]``;
- global-local: ``- sum_p log h(g_p, G_p) / sum_q h(g_p, G_q)``, and the same with the roles exchanged.

All negatives are of the same video. Both are averaged over their two directions.

Shapes: B videos of this rank, N timesteps, d embedding, A and C numbers of augmented copies.
"""

from __future__ import annotations

import torch
from torch import Tensor

from raysl.objectives.losses.nt_xent import unit_rows


def local_local(first: Tensor, copy: Tensor, temperature: float) -> Tensor:
    """The local-local loss of each video, the sum over its timesteps, ``[B]``.

    ``N ln(2 N - 1)`` for orthogonal embeddings.

    Args:
        first, copy: ``[B, N, d]`` float of any length (normalised here), row p of both from the same frames.
        temperature: divides the cosines; greater than 0.

    Raises:
        ValueError: shapes differ, the temperature is not positive, or there is no second timestep to contrast with.
    """
    if first.shape != copy.shape or first.ndim != 3:
        raise ValueError(f"both embeddings must be [B, N, d], got {list(first.shape)} and {list(copy.shape)}")
    _check("local-local", first.shape[1], temperature)
    with torch.autocast(first.device.type, enabled=False):
        rows = unit_rows(torch.stack([first, copy], dim=1)).flatten(1, 2)  # [B, 2 N, d]
        logits = rows @ rows.mT / temperature
        steps = first.shape[1]
        itself = torch.eye(2 * steps, dtype=torch.bool, device=first.device)
        positive = logits.diagonal(steps, 1, 2)  # both directions have the same one
        denominator = logits.masked_fill(itself, -torch.inf).logsumexp(dim=2)
        return denominator.sum(dim=1) / 2 - positive.sum(dim=1)


def global_local(slices: Tensor, local: Tensor, temperature: float) -> Tensor:
    """The global-local loss of each video for each pair of copies, the sum over its timesteps, ``[B, A, C]``.

    ``N ln N`` for orthogonal embeddings.

    Args:
        slices: ``[B, A, N, d]`` float of any length, of the timesteps of each copy of the global clip.
        local: ``[B, C, N, d]``, of each copy of the local clips; row p of both from the same part of the video.
        temperature: divides the cosines; greater than 0.

    Raises:
        ValueError: shapes do not fit, the temperature is not positive, or there is no second timestep.
    """
    shapes = slices.shape, local.shape
    if any(len(shape) != 4 for shape in shapes) or len({(shape[0], *shape[2:]) for shape in shapes}) > 1:
        raise ValueError(f"embeddings must be [B, A, N, d] and [B, C, N, d], got {[list(shape) for shape in shapes]}")
    _check("global-local", slices.shape[2], temperature)
    with torch.autocast(slices.device.type, enabled=False):
        logits = torch.einsum("bapd,bcqd->bacpq", unit_rows(slices), unit_rows(local)) / temperature
        positive = logits.diagonal(0, 3, 4)
        by_slice = logits.logsumexp(dim=4) - positive
        by_clip = logits.logsumexp(dim=3) - positive
        return ((by_slice + by_clip) / 2).sum(dim=-1)


def _check(loss: str, steps: int, temperature: float) -> None:
    if steps < 2:
        raise ValueError(f"the {loss} loss needs at least two timesteps: the others are the negatives")
    if not temperature > 0:
        raise ValueError(f"temperature must be greater than 0, got {temperature}")
