"""Whether a framework's loss is the mean over the videos of a batch, or their sum (CSTP Eq. 1 and 3)."""

from __future__ import annotations

from torch import Tensor

from raysl.distributed import world_size
from raysl.objectives.tasks.task_options import Reduction


def reduced(loss: Tensor, videos: int, reduction: Reduction) -> Tensor:
    """A loss of this rank, scalar, so that its mean over ranks is the mean or the sum over the global batch.

    Args:
        loss: mean over this rank's videos.
        videos: B, of this rank; the same on every rank.
        reduction: ``mean`` leaves the loss as it is.
    """
    return loss * (videos * world_size()) if reduction == "sum" else loss
