"""Base of classification tasks: options, loss, accuracy, and the accuracy of always giving the commonest answer.

Shapes: B videos of this rank, K classes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from raysl.distributed import all_reduce_sum
from raysl.objectives.term import Term, TermOutput
from raysl.views.batch import Batch


class ClassificationTask(Term):
    """Cross-entropy of each question, the mean over clips; questions are added (code: CSTP).

    Metrics: ``<name>_accuracy``, the share of right answers in the global batch, and ``<name>_majority``, that of
    always giving the batch's commonest answer.
    """

    compares_across_batch = False
    name: str

    @abstractmethod
    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """Logits ``[B, K]`` and right answers ``[B]`` of each question."""

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        asked = self.questions(features, batch)
        with torch.autocast(asked[0][0].device.type, enabled=False):
            losses = [F.cross_entropy(_at_least_float32(logits), answer) for logits, answer in asked]
        loss = torch.stack(losses).sum()
        if not self.measures:
            return TermOutput(loss)
        logits = torch.cat([logits for logits, _ in asked]).detach()
        return TermOutput(loss, self._metrics(logits, torch.cat([answer for _, answer in asked])))

    @torch.no_grad()
    def _metrics(self, logits: Tensor, answer: Tensor) -> dict[str, Tensor]:
        right = (logits.argmax(dim=1) == answer).to(torch.float64).mean()
        # Over the global batch: the commonest answer of a part is not that of the whole. (Not bincount, which waits for
        # the device to know how long its result is.)
        answers = torch.arange(logits.shape[1], device=answer.device)
        counts = all_reduce_sum((answer[:, None] == answers).sum(dim=0).to(torch.float64))
        return {f"{self.name}_accuracy": right, f"{self.name}_majority": counts.max() / counts.sum()}


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
