"""SimCLR: the two clips of a video attract, all other clips of the global batch repel.

Chen et al. 2020, https://arxiv.org/abs/2002.05709; on video CVRL (Qian et al. 2021), https://arxiv.org/abs/2008.03800.
"""

from __future__ import annotations

from typing import Literal

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError
from raysl.objectives.memory.bank_checks import check_negatives
from raysl.objectives.tasks.task_options import Reduction, original_weight_option, reduction_option

PAIR = ("query", "key")


class SimCLROptions(Options):
    """Options of SimCLR."""

    temperature: float = option(
        0.1,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="printed: CVRL 3.1",
        gt=0,
        le=100,
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        ProjectorOptions(), doc="from the pooled feature to the embedding", source="see its fields"
    )
    weight: float = option(
        1.0,
        doc="factor of this term in the sum that is minimised",
        unit=NO_UNIT,
        source="printed: the only term",
        ge=0,
        le=1e6,
    )
    original_weight: float = original_weight_option()
    positive_in_denominator: bool = option(
        True,
        doc="whether the positive is among the candidates it competes with",
        source="printed: SimCLR Eq. 1; CSTP Eq. 1 off",
    )
    same_view_negatives: bool = option(
        True, doc="whether clips of the anchor's own view are negatives too", source="printed: SimCLR Eq. 1"
    )
    symmetric: Literal["mean", "sum", "one_way"] = option(
        "mean",
        doc="both directions averaged, both added, or the query as the only anchor",
        source="printed: SimCLR Alg. 1: mean; code: CVRL: sum; printed: CVRL Eq. 1, CSTP Eq. 1: one_way",
    )
    reduction: Reduction = reduction_option()
    bank_negatives: int = option(
        0,
        doc="entries drawn each step from the temporal memory bank (`objective.memory`) as further negatives",
        unit="entries",
        source="printed: none; inferred: SSTL: 2048, what its Table 5 calls memory size",
        ge=0,
        le=2**24,
    )


def _check(options: SimCLROptions, cell: CellConfig) -> None:
    objective = cell.objective
    shared = options.projector == "shared" and objective.projector is not None
    if options.bank_negatives and (objective.memory is None or not shared):
        raise ConfigError(
            "objective.contrastive.bank_negatives: the bank holds embeddings of the shared projector; set "
            "objective.memory, objective.projector and objective.contrastive.projector: shared"
        )


def _check_videos(options: SimCLROptions, cell: CellConfig, videos: int) -> None:
    if options.bank_negatives and cell.objective.memory is not None:
        check_negatives(options.bank_negatives, videos, cell.training.batch_size, cell.objective.memory)


COMPONENT = Component(
    kind="framework",
    options=SimCLROptions,
    build=later("raysl.objectives.frameworks.simclr_term", "SimCLR"),
    check=_check,
    check_videos=_check_videos,
)
