"""SSTL's speed prediction: the playback rate that augmentation in time drew, by regression from the feature map."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, Options, option
from raysl.errors import ConfigError


class PlaybackRegressionOptions(Options):
    """Options of the regression."""

    hidden_dim: int = option(512, doc="channels of the hidden layer", unit="channels", source="ours", ge=1, le=65536)
    weight: float = option(
        0.1, doc="factor of this term in the sum that is minimised", unit=NO_UNIT, source="printed: SSTL", ge=0, le=1e6
    )


def _check(options: PlaybackRegressionOptions, cell: CellConfig) -> None:
    if cell.sampling.pair is None:
        raise ConfigError("objective.pretext.playback_regression reads the clips of the pair: set sampling.pair")
    if cell.temporal.max_rate <= 1:
        raise ConfigError(
            "objective.pretext.playback_regression predicts the playback rate, and none is drawn: set "
            "augment.temporal.max_rate above 1"
        )


COMPONENT = Component(
    kind="pretext task",
    options=PlaybackRegressionOptions,
    build=later("raysl.objectives.pretext.playback_regression_term", "PlaybackRegression"),
    check=_check,
    estimates=True,
)
