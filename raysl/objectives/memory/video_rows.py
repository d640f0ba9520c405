"""Which row of a bank belongs to which video of the catalog."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from raysl.distributed import all_gather, host_or, is_distributed
from raysl.errors import DataError


class VideoRows:
    """Row i is of ``videos[i]``.

    Args:
        videos: catalog indices, ascending.
    """

    def __init__(self, videos: Sequence[int]) -> None:
        self._videos = np.asarray(videos, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._videos)

    def of(self, videos: Tensor) -> NDArray[np.int64]:
        """The rows of catalog indices, ``[B]`` to ``[B]``.

        Raises:
            DataError: a video has no row.
        """
        asked = videos.cpu().numpy()
        rows = np.searchsorted(self._videos, asked)
        missing = asked[self._videos[rows.clip(max=len(self) - 1)] != asked]
        if len(missing):
            raise DataError(
                f"video {missing[0]} of the catalog has no row in the memory bank, which was made for {len(self)} "
                "training videos: give the bank every video that the batches are drawn from"
            )
        return rows

    def of_all_ranks(self, videos: Tensor, device: torch.device) -> NDArray[np.int64]:
        """As `of`, for the videos of all ranks, which compute on ``device``. Collective."""
        return self.of(all_gather(videos.to(host_or(device))) if is_distributed() else videos)
