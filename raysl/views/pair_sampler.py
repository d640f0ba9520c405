"""Where in a video the clips of a view lie."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.sections import ClipOptions
from raysl.views.placement import Placement


class PairSampler(ABC):
    """Base of every pair sampler: ``COMPONENT.build(options, clip: ClipOptions) -> PairSampler``.

    ``clip`` has the frames that augmentation in time chooses from, where there is any.
    """

    def __init__(self, clip: ClipOptions) -> None:
        self.clip = clip

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides that its clips may have, in frames; a video shorter than a clip at the smallest is too short."""
        return (self.clip.stride,)

    @abstractmethod
    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        """Where ``query`` and ``key``, each of ``clip.raw_frames``, lie in a video of ``length`` frames."""


def pair_sampler(cell: CellConfig) -> PairSampler | None:
    """The cell's; None where it has none, or is supervised."""
    if cell.sampling.pair is None or cell.pretraining == "supervised":
        return None
    sampler: PairSampler = cell.sampling.pair.build(cell.placed_clip)
    return sampler
