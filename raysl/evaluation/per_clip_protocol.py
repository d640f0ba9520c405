"""What every evaluation protocol that reads a frozen backbone clip by clip is; others read means over clips."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions
from raysl.data.source import VideoSource
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.protocol import EvaluationResult
from raysl.models.backbone import Backbone


class PerClipOptions(Options):
    """The options that all such protocols share.

    ``version`` here enters the id of every such evaluation: raise it when their clips or features are made otherwise.
    """

    clips: int = option(
        5,
        doc="clips of a video, spread evenly over its length",
        unit="clips",
        source="[?]; [P] SSTL Figure 2: 40",
        ge=2,
        le=100,
    )


@dataclass(frozen=True)
class PerClipTask:
    """What such a protocol is given, on every rank.

    Attributes:
        backbone: on ``device``; left as it was found.
        source: the labelled set.
        clip: what the backbone was trained on.
        seed: of everything the protocol draws, but for what all cells share.
        batch_clips: about how many clips a forward pass holds.
    """

    backbone: Backbone
    source: VideoSource
    clip: ClipOptions
    seed: int
    device: torch.device
    precision: Precision = "float32"
    batch_clips: int = 40


class PerClipProtocol(ABC):
    """Base of these protocols: ``COMPONENT.build(options) -> PerClipProtocol``. Options extend ``PerClipOptions``.

    The same backbone, data and seed give the same result on any number of ranks.
    """

    @abstractmethod
    def evaluate(self, task: PerClipTask) -> EvaluationResult:
        """Reads clips through the frozen backbone, and measures. Collective.

        Returns:
            The same on every rank; its predictions have one row per test video in use, in catalog order.

        Raises:
            DataError: no video to measure, or one that cannot be read any more; on every rank.
            CellFailure: features that are not finite; on every rank.
        """
