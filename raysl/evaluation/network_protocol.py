"""What every evaluation protocol that reads a cell's whole network is: its backbone with the heads that it trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from raysl.config.cell import CellConfig
from raysl.config.options import Options
from raysl.data.source import VideoSource
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.protocol import EvaluationResult
from raysl.objectives.objective import Objective


class NetworkOptions(Options):
    """The base of the options of all such protocols."""


@dataclass(frozen=True)
class NetworkTask:
    """What such a protocol is given, on every rank.

    Attributes:
        cell: that trained the network.
        network: on ``device``; left as it was found.
        source: the labelled set.
        trained_on: names of the classes that the network was trained on, by index.
        batch_clips: about how many clips a forward pass holds.
    """

    cell: CellConfig
    network: Objective
    source: VideoSource
    trained_on: tuple[str, ...]
    device: torch.device
    precision: Precision = "float32"
    batch_clips: int = 40


class NetworkProtocol(ABC):
    """Base of these protocols: ``COMPONENT.build(options) -> NetworkProtocol``. Options extend ``NetworkOptions``.

    The same network and data give the same result on any number of ranks.
    """

    @abstractmethod
    def evaluate(self, task: NetworkTask) -> EvaluationResult:
        """Tests the network as it is at the end of its training. Collective.

        Returns:
            The same on every rank; its predictions have one row per readable labelled test video.

        Raises:
            DataError: no video to test, or one that cannot be read any more; on every rank.
            ConfigError: the network has no head for what is asked, or was trained on other classes; on every rank.
            CellFailure: scores are not finite; on every rank.
        """
