"""Which videos a global batch has, and which replace those that fail: the same on every rank, without communication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from raysl.errors import ConfigError
from raysl.streams import stream


class EpochOrder:
    """A keyed permutation of the videos for every epoch, cut into global batches of distinct videos.

    Args:
        videos: catalog indices, distinct.
        batch_size: global, over all ranks.
        seed: of the cell.

    Attributes:
        dropped: videos at the end of an epoch's permutation that do not fill a batch.

    Raises:
        ConfigError: the batch is larger than the set.
    """

    def __init__(self, videos: Sequence[int], batch_size: int, seed: int) -> None:
        if batch_size > len(videos):
            raise ConfigError(
                f"training.batch_size {batch_size} is larger than the set: {len(videos)} readable training videos; "
                f"lower it to {len(videos)} or less"
            )
        self.videos = np.asarray(videos, dtype=np.int64)
        self.batch_size = batch_size
        self.seed = seed
        self.steps_per_epoch = len(videos) // batch_size
        self.dropped = len(videos) % batch_size
        self._permuted: tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]] | None = None

    def batch(self, epoch: int, step: int) -> list[int]:
        """The global batch of a step of an epoch (both from 0): ``batch_size`` distinct videos.

        Raises:
            IndexError: the epoch has no such step.
        """
        if not 0 <= step < self.steps_per_epoch:
            raise IndexError(f"step {step} of an epoch of {self.steps_per_epoch} steps")
        if self._permuted is None or self._permuted[0] != epoch:
            self._permuted = (epoch, stream(self.seed, epoch, "order").permutation(self.videos))
        first = step * self.batch_size
        return [int(video) for video in self._permuted[1][first : first + self.batch_size]]

    def replacements(self, epoch: int, step: int, slot: int) -> Iterator[int]:
        """Videos that may replace the one at ``slot`` (0 to batch_size - 1), in order.

        They come from outside the global batch, and slot p has candidates p, p + B, p + 2B, ... of one permutation:
        two failures in a batch of B never get the same one, whatever their ranks, without communication.
        """
        outside = np.setdiff1d(self.videos, self.batch(epoch, step))
        permuted = stream(self.seed, epoch, step, "replacement").permutation(outside)
        return iter(permuted[slot :: self.batch_size].tolist())
