"""Where in a video the clips of a view lie."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from raysl.views.placement import Placement


class PairSampler(ABC):
    """Base of every pair sampler: ``COMPONENT.build(options, clip: ClipOptions) -> PairSampler``."""

    @abstractmethod
    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        """Where ``query`` and ``key``, each of ``clip.raw_frames``, lie in a video of ``length`` frames.

        ``clip`` has the frames that augmentation in time chooses from, where there is any.
        """
