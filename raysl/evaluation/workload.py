"""The work of an evaluation, counted before it is run."""

from __future__ import annotations

from dataclasses import dataclass

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.sections import ClipOptions
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.feature_protocol import FeatureOptions


@dataclass(frozen=True)
class Workload:
    """The work of one evaluation.

    Attributes:
        videos: number that pass the network without gradients.
        clips: of each video.
        clip: their shape.
        fits: the protocol learns on the features of these videos, outside the network.
    """

    videos: int
    clips: int
    clip: ClipOptions
    fits: bool = False


def workload(evaluation: EvaluationConfig, cell: CellConfig, splits: LabelledSplits) -> Workload | None:
    """The work of the evaluation of a cell; None if its protocol does not tell.

    Raises:
        ConfigError: the options do not fit the cell.
    """
    protocol = evaluation.protocol
    if protocol.component.workload is not None:
        found = protocol.component.workload(protocol.options, cell, evaluation.data, splits)
        assert isinstance(found, Workload)
        return found
    options = protocol.options
    if isinstance(options, FeatureOptions):
        # A training video of fewer clips counts as part of a video.
        train = -(-len(splits.train) * options.clips_of("train") // options.clips)
        return Workload(train + len(splits.test), options.clips * options.crops, options.clip.of(cell.clip), fits=True)
    return None
