"""What both overlap tasks (STOR; CSTP, arXiv:2112.08913) share: how much of one clip does the other hold?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from raysl.config.cell import CellConfig
from raysl.config.options import option
from raysl.errors import ConfigError
from raysl.objectives.tasks.task_options import HeadOptions, TaskOptions
from raysl.views.pair_sampler import pair_classes

if TYPE_CHECKING:
    from raysl.objectives.pretext.overlap_term import OverlapTask
    from raysl.objectives.term import TermContext


class OverlapTaskOptions(TaskOptions):
    """Options of an overlap task; the classes are the rates of ``sampling.pair``."""

    head: HeadOptions = option(
        HeadOptions(),
        doc="from the features of both clips side by side to the answer",
        source="printed: CSTP: FC; code: on R(2+1)D and S3D a hidden layer with batch norm and ReLU",
    )


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


def overlap_task(name: str) -> Callable[..., Any]:
    """``COMPONENT.build`` of the overlap task of this name: as many classes as ``sampling.pair`` has candidates."""

    def build(options: OverlapTaskOptions, context: TermContext) -> OverlapTask:
        from raysl.objectives.pretext.overlap_term import OverlapTask

        return OverlapTask(name, options, context)

    return build
