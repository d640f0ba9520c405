"""MoCo with the original clip as query and a task's view as key: TaCo's introduction and Figure 3, not its Eq. 1.

The denominator of Eq. 1 mirrored runs over views that the same task transformed, so every task has a queue of its own
(inferred): among the keys of other projections a query would tell its key by the projection.

Shapes: B videos of this rank, d embedding, K keys of a queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from raysl.objectives.losses.info_nce import info_nce, queue_logits
from raysl.objectives.memory.key_queue import KeyQueue


class TransformedKeys(nn.Module):
    """A queue for the keys of each task.

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
