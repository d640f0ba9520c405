"""Instance discrimination against a memory bank: logits of drawn entries, and the noise-contrastive loss.

Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination",
https://arxiv.org/abs/1805.01978, Eq. 4 to 8, with the constants of its code (lemniscate.pytorch). Its later form,
and PySlowFast's, is the softmax over the drawn entries: `raysl.objectives.losses.info_nce.info_nce` of the same logits.

Shapes: B videos of this rank, d embedding, N entries of the bank, K negatives.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from raysl.distributed import all_gather
from raysl.objectives.losses.info_nce import check_temperature
from raysl.objectives.losses.nt_xent import unit_rows

EPSILON = 1e-7
"""Added to the denominators of P / (P + K / N), as in lemniscate."""


def bank_logits(query: Tensor, bank: Tensor, drawn: Tensor, temperature: float) -> Tensor:
    """Products of each query with the entries drawn for it, over the temperature: ``[B, 1 + K]``, float32 or better.

    Args:
        query: ``[B, d]`` float, of any length (normalised here), with gradient.
        bank: ``[N, d]``, not normalised here; gets no gradient.
        drawn: ``[B, 1 + K]`` int64, rows of the bank: the video's own in column 0.
        temperature: greater than 0.

    Raises:
        ValueError: the temperature is not positive.
    """
    check_temperature(temperature)
    with torch.autocast(query.device.type, enabled=False):
        queries = unit_rows(query)
        # All N products, then a choice: B x N numbers, where the chosen entries themselves would be B x K x d.
        products = queries @ bank.detach().to(queries.dtype).T
        return products.gather(1, drawn) / temperature


@torch.no_grad()
def log_normaliser(logits: Tensor, bank_size: int) -> Tensor:
    """log Z of Eq. 8: Z is the mean of exp(logit) over the global batch's ``[B, 1 + K]`` logits, times N. Collective.

    The original code fixes it from its first batch.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    ranks = all_gather(logits.logsumexp(dim=(0, 1))[None])
    return ranks.logsumexp(dim=0) - math.log(len(ranks) * logits.numel()) + math.log(bank_size)


def noise_contrastive_loss(logits: Tensor, log_z: Tensor, bank_size: int) -> Tensor:
    """NCE of ``[B, 1 + K]`` logits, column 0 the video itself; a scalar, the mean over this rank's B rows.

    With P = exp(logit) / Z and noise uniform over the bank, K / N = c, a row's loss is
    ``-log(P_0 / (P_0 + c + eps)) - sum_k log(c / (P_k + c + eps))`` (Eq. 7; eps 1e-7 in the code).

    Args:
        log_z: scalar, of `log_normaliser`.
        bank_size: N.
    """
    with torch.autocast(logits.device.type, enabled=False):
        # In logarithms: exp(logit) of a low temperature leaves float32.
        log_p = logits.to(torch.promote_types(logits.dtype, torch.float32)) - log_z
        noise = (logits.shape[1] - 1) / bank_size
        denominator = torch.logaddexp(log_p, log_p.new_full((), math.log(noise + EPSILON)))
        positive = denominator[:, 0] - log_p[:, 0]
        negatives = (denominator[:, 1:] - math.log(noise)).sum(dim=1)
        return (positive + negatives).mean()
