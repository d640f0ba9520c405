"""What every evaluation protocol that trains the network is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen
from raysl.data.source import VideoSource
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.protocol import EvaluationResult
from raysl.models.backbone import Backbone
from raysl.training.progress import Progress


@dataclass(frozen=True)
class TrainingTask:
    """What such a protocol is given, on every rank.

    Attributes:
        cell: that the backbone was pretrained as: gives clip, seed, loader processes and the backbone's options.
        backbone: what training starts from; it is copied and never changed.
        data: the labelled set that ``source`` has opened.
        batch_clips: about how many clips a forward pass holds at test.
        on_progress: called on every rank at the same steps.
    """

    cell: CellConfig
    backbone: Backbone
    data: Chosen
    source: VideoSource
    device: torch.device
    precision: Precision
    batch_clips: int = 40
    on_progress: Callable[[Progress], None] = lambda progress: None


class TrainedProtocol(ABC):
    """Base of protocols that train: ``COMPONENT.build(options) -> TrainedProtocol``. Options extend ``TrainedOptions``.

    The same cell and data give the same result on any number of ranks, but for rounding.
    """

    @abstractmethod
    def evaluate(self, task: TrainingTask) -> EvaluationResult:
        """Trains on the split ``train`` alone, then tests the network as it is at the end. Collective.

        Returns:
            The same on every rank; its predictions have one row per readable labelled test video.

        Raises:
            DataError: no labels to learn, or a video that cannot be read any more; on every rank.
            ConfigError: the options do not fit the data or the number of ranks; on every rank.
            CellFailure: loss, gradient or scores are not finite; on every rank.
        """
