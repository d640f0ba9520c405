"""What both overlap tasks (STOR; CSTP, arXiv:2112.08913) share: how much of one clip does the other hold?"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.options import option
from raysl.errors import ConfigError
from raysl.objectives.tasks.heads import HeadOptions, TaskHead
from raysl.objectives.tasks.pretext_task import ClassificationTask, TaskOptions
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.pair_sampler import pair_classes

PAIR = ("query", "key")


class OverlapTaskOptions(TaskOptions):
    """Options of an overlap task; the classes are the rates of ``sampling.pair``."""

    head: HeadOptions = option(
        HeadOptions(),
        doc="from the features of both clips side by side to the answer",
        source="printed: CSTP: FC; code: on R(2+1)D and S3D a hidden layer with batch norm and ReLU",
    )


class OverlapTask(ClassificationTask):
    """One question about the pair, from the online features of both clips side by side, ``[B, 2 D]``.

    One passage of the paper gives the spatial head the query's feature alone and the temporal head the key's; the
    paragraph after it and the code use both.
    """

    def __init__(self, options: OverlapTaskOptions, context: TermContext) -> None:
        super().__init__()
        self.head = TaskHead(len(PAIR) * context.feature_dim, context.pair_classes[self.name], options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return PAIR

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in PAIR], dim=1))
        return [(logits, batch.targets[self.name])]


def check_sampler(name: str, options: OverlapTaskOptions, cell: CellConfig) -> None:
    """Refuses a pair sampler that gives no answer of this name, if one is needed.

    Raises:
        ConfigError: naming the sampler.
    """
    if cell.pretraining == "self_supervised" and options.supervise and name not in pair_classes(cell):
        pair = cell.sampling.pair
        raise ConfigError(
            f"objective.pretext.{name} asks by how much two clips overlap, which the pair sampler overlap sets; "
            f"sampling.pair is {'null' if pair is None else pair.name}: choose overlap, or switch the task off"
        )
