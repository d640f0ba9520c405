"""The base of window samplers: several clips at fixed positions within one window, besides the pair."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.options import Options
from raysl.views.placement import Placement


class WindowOptions(Options):
    """Base of the options of every window sampler."""

    @property
    @abstractmethod
    def timesteps(self) -> int:
        """N_T, local clips of a window."""

    @property
    def same_view(self) -> dict[str, str]:
        """From a view of the pair to the view of the window whose clips replace it."""
        return {}


class WindowSampler(ABC):
    """Base of every window sampler: ``COMPONENT.build(options: WindowOptions, clip: ClipOptions) -> WindowSampler``.

    A window's clips are not augmented in time, which would change their positions.
    """

    @property
    @abstractmethod
    def view_names(self) -> tuple[str, ...]:
        """The views that it makes."""

    @property
    @abstractmethod
    def span(self) -> int:
        """Frames of video that the shortest window needs."""

    @abstractmethod
    def fits(self, length: int) -> bool:
        """Whether a video of ``length`` frames can be used; others are left out, and counted."""

    @abstractmethod
    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        """The placement of each of `view_names` in a video of ``length`` frames that `fits`."""


def window_sampler(cell: CellConfig) -> WindowSampler | None:
    """The cell's window sampler; None if it has none, or reads no windows."""
    if cell.sampling.windows is None or cell.pretraining == "supervised":
        return None
    sampler: WindowSampler = cell.sampling.windows.build(cell.clip)
    return sampler
