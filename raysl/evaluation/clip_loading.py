"""Clips for evaluations: loaded in order ahead of the network, by a thread or by as many processes as training has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

import torch
from torch import Tensor

from raysl.data.source import VideoSource
from raysl.distributed import cpus_of_rank, rank
from raysl.notes import say_once
from raysl.views.loading import Asked, Loading

B = TypeVar("B")

_asked: ContextVar[Asked] = ContextVar("loader_workers", default="auto")


@contextmanager
def loader_workers(asked: Asked) -> Iterator[None]:
    """In its body evaluations load clips with so many processes (``training.loader_workers`` of the cell)."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


class BlockLoader(Generic[B]):
    """Loads a block of clips, and measures the parts of that.

    Args:
        source: that ``load`` reads.
        load: the clips of a block; picklable, or it is called in this process only.
    """

    def __init__(self, source: VideoSource, load: Callable[[B], Tensor]) -> None:
        self.source, self.load = source, load

    def __call__(self, block: B) -> Tensor:
        self.source.seconds.clear()
        return self.load(block)

    def parts(self) -> dict[str, float]:
        """Seconds of reading for the last block (`VideoSource.seconds`)."""
        return dict(self.source.seconds)


def in_order(
    source: VideoSource, load: Callable[[B], Tensor], blocks: Sequence[B], device: torch.device
) -> Iterator[Tensor]:
    """The clips of the blocks, loaded ahead while earlier ones are used; the same whoever loads them.

    Args:
        device: that uses them.
    """
    loading = Loading[B, Tensor](
        BlockLoader(source, load),
        _asked.get(),
        cpus=cpus_of_rank(),
        item_bytes=None,
        what=f"evaluation on {source.catalog.name}",
        beside=True,
        ahead=1,
        settle=torch.cuda.synchronize if device.type == "cuda" else None,
        says=rank() == 0,
    )
    with closing(loading):
        yield from loading.items(blocks, len(blocks))


class ClipGroups:
    """Passes a block's clips through a network, in smaller groups once memory has run out.

    A clip's result may differ in its last bits with the size of its group, so a group is the whole block where that
    fits.

    Args:
        compute: clips ``[N, C, T, H, W]`` on ``device`` to ``[N, ...]``, each clip by itself.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor], device: torch.device) -> None:
        self._compute, self._device = compute, device
        self.most: int | None = None

    def __call__(self, clips: Tensor) -> Tensor:
        """``[N, ...]`` on ``device`` of clips anywhere.

        Raises:
            torch.OutOfMemoryError: one clip does not fit.
        """
        parts, start = list[Tensor](), 0
        while start < len(clips):
            size = len(clips) if self.most is None else self.most
            part = self._tried(clips[start : start + size])
            if part is None:
                self._halve(min(size, len(clips) - start))
            else:
                parts.append(part)
                start += size
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _tried(self, clips: Tensor) -> Tensor | None:
        """None: they do not fit into memory. Their tensors are released when this returns."""
        try:
            return self._compute(clips.to(self._device, memory_format=torch.channels_last_3d))
        except torch.OutOfMemoryError:
            if len(clips) == 1:
                raise
            return None

    def _halve(self, size: int) -> None:
        self.most = size // 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        say_once(
            f"evaluation: {size} clips do not fit into the memory of {self._device} at once: {self.most} are passed "
            "through the network together (a feature's last bits may differ)"
        )
