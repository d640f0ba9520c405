"""InstDisc: every video is its own class, distinguished from entries drawn from a memory bank.

Wu et al. 2018, https://arxiv.org/abs/1805.01978, with the constants of its code (lemniscate.pytorch).
"""

from __future__ import annotations

from typing import Literal

from raysl.config.component import Component, later
from raysl.config.objective_sections import ProjectorOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError
from raysl.objectives.tasks.task_options import original_weight_option


class InstDiscOptions(Options):
    """Options of InstDisc."""

    temperature: float = option(
        0.07,
        doc="what cosine similarities are divided by before the softmax",
        unit=NO_UNIT,
        source="printed: InstDisc 3.1, TaCo",
        gt=0,
        le=100,
    )
    negatives: int = option(
        16384,
        doc="entries drawn from the bank for each video; fewer than the bank holds",
        unit="entries",
        source="printed: TaCo; InstDisc: 4096",
        ge=1,
        le=2**24,
    )
    momentum: float = option(
        0.5,
        doc="share of the old entry that an update keeps",
        unit="share",
        source="code: lemniscate; PySlowFast's is the new one's share",
        ge=0,
        le=1,
    )
    loss: Literal["softmax", "nce"] = option(
        "softmax",
        doc="cross-entropy over the drawn entries, or noise-contrastive estimation with the normaliser of the first "
        "batch",
        source="printed: TaCo: InfoNCE for all experiments; InstDisc 3.2: nce",
    )
    projector: ProjectorOptions | Literal["shared"] = option(
        ProjectorOptions(),
        doc="from the pooled feature to the embedding",
        source="ours: as SimCLR; InstDisc, TaCo: one linear layer (hidden_layers 0)",
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


def check_negatives(options: InstDiscOptions, videos: int) -> None:
    if options.negatives >= videos:
        raise ConfigError(
            f"objective.contrastive.negatives {options.negatives}: the memory bank has {videos} entries, one for each "
            f"readable training video, and one of them is the positive; lower it to {videos - 1} or less"
        )


COMPONENT = Component(
    kind="framework",
    options=InstDiscOptions,
    build=later("raysl.objectives.frameworks.instdisc_term", "InstDisc"),
    check_videos=lambda options, cell, videos: check_negatives(options, videos),
)
