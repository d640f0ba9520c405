"""SSTL's clip-to-video loss: a clip's embedding is drawn to its video's, the mean over the temporal memory bank."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError


class ClipToVideoOptions(Options):
    """Options of the clip-to-video loss; the bank's are `objective.memory`, the projector's `objective.projector`."""

    weight: float = option(
        0.2, doc="factor of this term in the sum that is minimised", unit=NO_UNIT, source="printed: SSTL", ge=0, le=1e6
    )


def _check(options: ClipToVideoOptions, cell: CellConfig) -> None:
    if cell.objective.memory is None or cell.objective.projector is None:
        raise ConfigError(
            "objective.clip_to_video reads the temporal memory bank, of embeddings of the shared projector: set "
            "objective.memory and objective.projector"
        )
    if cell.sampling.pair is None:
        raise ConfigError("objective.clip_to_video reads the clips of the pair: set sampling.pair")


COMPONENT = Component(
    kind="temporal loss",
    options=ClipToVideoOptions,
    build=later("raysl.objectives.temporal.clip_to_video_term", "ClipToVideo"),
    check=_check,
)
