"""MoCo's queue: the keys of past batches, oldest replaced first. He et al. 2020, https://arxiv.org/abs/1911.05722.

`TransformedKeys` holds one queue per pretext task, for MoCo with the original clip as query and a task's view as key:
TaCo's introduction and Figure 3, not its Eq. 1. The denominator of Eq. 1 mirrored runs over views that the same task
transformed, so the tasks share no queue (inferred): among the keys of other projections a query would recognise its key
by the projection.

Shapes: B videos of this rank, d embedding, K keys of a queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raysl.distributed import all_gather
from raysl.objectives.losses.info_nce import info_nce, queue_logits


class KeyQueue(nn.Module):
    """``columns`` ``[d, K]`` of length 1, random at start, and ``pointer``, the column that is replaced next.

    Drawn from torch's global generator. Every rank holds and writes the same.

    Args:
        embedding_dim: d.
        size: K.
    """

    columns: Tensor
    pointer: Tensor

    def __init__(self, embedding_dim: int, size: int) -> None:
        super().__init__()
        self.register_buffer("columns", F.normalize(torch.randn(embedding_dim, size), dim=0))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Puts the keys of all ranks in place of the oldest, in the order of the global batch. Collective.

        Args:
            keys: ``[V, B, d]`` of length 1: of V views of this rank's B videos; at most K over all ranks. The first
                view's come first.
        """
        gathered = all_gather(keys.transpose(0, 1)).transpose(0, 1).flatten(0, 1)
        size = self.columns.shape[1]
        if len(gathered) > size:
            raise ValueError(f"{len(gathered)} keys do not fit a queue of {size}")
        places = (self.pointer + torch.arange(len(gathered), device=gathered.device)) % size
        self.columns[:, places] = gathered.T.to(self.columns.dtype)
        self.pointer.copy_((self.pointer + len(gathered)) % size)


class TransformedKeys(nn.Module):
    """One queue per task.

    Args:
        tasks: names.
        embedding_dim: d.
        queue_size: K.
    """

    def __init__(self, tasks: Sequence[str], embedding_dim: int, queue_size: int) -> None:
        super().__init__()
        self._tasks = tuple(tasks)
        self.queues = nn.ModuleList(KeyQueue(embedding_dim, queue_size) for _ in self._tasks)
        self._keys: list[Mapping[str, Tensor]] = []

    def begin_step(self) -> None:
        self._keys = []

    def losses(self, query: Tensor, keys: Mapping[str, Tensor], temperature: float) -> dict[str, Tensor]:
        """By task, InfoNCE of each query with its video's key against the task's queue; remembers the keys.

        Args:
            query: ``[B, d]`` of any length, with gradient.
            keys: by task, ``[B, d]`` of length 1, without gradient.
            temperature: divides the cosines.
        """
        self._keys.append(keys)
        return {
            task: info_nce(queue_logits(query, keys[task], queue.columns, temperature)).loss
            for task, queue in self._each()
        }

    def end_step(self) -> None:
        """Puts the keys of the step into the queues. Collective."""
        for keys in self._keys:
            for task, queue in self._each():
                queue.enqueue(keys[task][None])
        self._keys = []

    def _each(self) -> list[tuple[str, KeyQueue]]:
        queues = [queue for queue in self.queues if isinstance(queue, KeyQueue)]
        return list(zip(self._tasks, queues, strict=True))
