"""Which videos share batch-norm statistics, whatever the number of workers and however many videos pass at once.

A group is ``batch_norm_group`` consecutive videos of the global batch with all their views in the tensor at hand, or
with each view by itself (``batch_norm_per_view``). Rank r holds videos ``r * share`` to ``(r + 1) * share``; of those a
window passes at a time: all, or a chunk.

A tensor that passes a batch norm is view-major: with V = rows / videos of the window, row r is of video r modulo those.

Shapes: V views, C channels; a part is the rows of one group that are in the tensor, ``[V * length, C, ...]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from raysl.distributed import rank, world_size


class Grouping:
    """The groups of the global batch as one rank sees them.

    Args:
        batch_size: global batch, videos.
        group: videos of a group, or ``batch``: all of them.
        per_view: each view's rows have their own statistics.
        rank, world_size: of this process where absent.

    Attributes:
        share: videos of a rank.
        group: videos of a group.
        first, videos: the window, as a part of the share.

    Raises:
        ValueError: the group or the ranks do not divide the batch.
    """

    def __init__(
        self,
        batch_size: int,
        group: int | str = "batch",
        *,
        per_view: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.per_view = per_view
        self.group = batch_size if group == "batch" else int(group)
        self.rank, self.world_size = _place(rank, world_size)
        for name, parts in (("a batch-norm group of", self.group), ("the number of ranks,", self.world_size)):
            if batch_size % parts:
                raise ValueError(f"{name} {parts} does not divide the batch of {batch_size} videos")
        self.batch_size, self.share = batch_size, batch_size // self.world_size
        self.first, self.videos = 0, self.share

    @property
    def is_whole(self) -> bool:
        """One group is the global batch."""
        return self.group == self.batch_size

    @property
    def is_local(self) -> bool:
        """No group has videos on two ranks."""
        return self.share % self.group == 0

    @property
    def groups(self) -> int:
        """In the global batch."""
        return self.batch_size // self.group

    @contextmanager
    def window(self, first: int, videos: int) -> Iterator[None]:
        """While ``videos`` of this rank's videos, from ``first`` on, pass the network, and not its whole share.

        Raises:
            ValueError: the window does not hold whole groups.
        """
        if not (first >= 0 and videos >= 1 and first + videos <= self.share):
            raise ValueError(f"videos {first} to {first + videos} are not among the {self.share} of a rank")
        if videos < self.share and not (self.is_local and first % self.group == 0 and videos % self.group == 0):
            raise ValueError(
                f"videos {first} to {first + videos} of a rank are no whole batch-norm groups of {self.group} videos"
            )
        before = self.first, self.videos
        self.first, self.videos = first, videos
        try:
            yield
        finally:
            self.first, self.videos = before

    def segments(self, rank: int) -> list[tuple[int, int]]:
        """Each group with videos on ``rank``: its index in the global batch and how many of its videos are there."""
        begin, end = rank * self.share, (rank + 1) * self.share
        groups = range(begin // self.group, -(-end // self.group))
        return [(g, min(end, (g + 1) * self.group) - max(begin, g * self.group)) for g in groups]

    def lengths(self) -> list[int]:
        """Videos of each group that the window holds."""
        if self.is_local:
            return [self.group] * (self.videos // self.group)
        return [length for _, length in self.segments(self.rank)]

    def parts(self, rows: Tensor) -> list[Tensor]:
        """The rows of each group in the window: slices for one view, gathered for more.

        If views have their own statistics, the first view's groups come first.

        Raises:
            ValueError: the rows are not the same number of each video of the window.
        """
        lengths, views = self.lengths(), self._views(rows)
        if len(lengths) == 1 and not self.per_view:
            return [rows]
        pieces = torch.split(rows, lengths * views)
        if views == 1 or self.per_view:
            return list(pieces)
        return [torch.cat(pieces[index :: len(lengths)]) for index in range(len(lengths))]

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """The inverse of `parts`."""
        if len(parts) == 1:
            return parts[0]
        if self.per_view:
            return torch.cat(list(parts))
        lengths = self.lengths()
        views = len(parts[0]) // lengths[0]
        by_group = [torch.split(part, length) for part, length in zip(parts, lengths, strict=True)]
        return torch.cat([pieces[view] for view in range(views) for pieces in by_group])

    def _views(self, rows: Tensor) -> int:
        views, rest = divmod(len(rows), self.videos)
        if rest or not views:
            raise ValueError(
                f"batch norm over groups of {self.group} videos expects the rows of {self.videos} videos, "
                f"the same number of each, and got {len(rows)} rows"
            )
        return views


def _place(given_rank: int | None, given_size: int | None) -> tuple[int, int]:
    return rank() if given_rank is None else given_rank, world_size() if given_size is None else given_size
