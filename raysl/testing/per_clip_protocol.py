"""What every protocol that reads a frozen backbone clip by clip keeps."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from raysl.data.source import VideoSource
from raysl.errors import CellFailure
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.models.backbone import Backbone
from raysl.testing.cells import rendered
from raysl.testing.evaluated import CPU, backbone, open_tiny
from raysl.testing.protocol import ProtocolContract, assert_equal, assert_stored


class PerClipProtocolContract(ProtocolContract):
    """Of a protocol on a frozen backbone, clip by clip: ``COMPONENT.build`` gives a `PerClipProtocol`.

    Attributes:
        reads_first: the split whose videos it reads first, and the number of them in the tiny set.
    """

    reads_first: tuple[str, int] = ("test", 9)

    @pytest.fixture
    def source(self) -> VideoSource:
        """The videos: fifteen for training, nine for testing, of three motions."""
        return open_tiny(rendered())

    def measured(self, source: VideoSource, network: Backbone | None = None, seed: int = 0) -> EvaluationResult:
        protocol = self.found.build(self.resolved())
        assert isinstance(protocol, PerClipProtocol)
        return protocol.evaluate(Task(network or backbone(), source, self.clip, seed, CPU))

    def test_options_extend_those_of_clips(self) -> None:
        assert issubclass(self.found.options, PerClipOptions)

    def test_predictions_and_metrics_agree(self, source: VideoSource) -> None:
        result = self.measured(source)
        videos = source.catalog.split("test")
        assert result.predictions["video"].tolist() == [video.index for video in videos]
        assert result.predictions["path"].tolist() == [video.path for video in videos]
        assert result.predictions["label"].tolist() == [video.label for video in videos]
        assert result.predictions["correct"].dtype == bool
        assert 100 * result.predictions["correct"].mean() == pytest.approx(next(iter(result.metrics.values())))
        assert all(-100 <= value <= 100 + 1e-4 for value in result.metrics.values())
        assert result.details["test_videos"] == len(videos)

    def test_a_result_can_be_stored(self, source: VideoSource, tmp_path: Path) -> None:
        assert_stored(self.measured(source), tmp_path)

    def test_deterministic_and_the_backbone_untouched(self, source: VideoSource) -> None:
        network = backbone().train()
        before = copy.deepcopy(network.state_dict())
        assert_equal(self.measured(source, network, seed=3), self.measured(source, seed=3))
        assert all(module.training for module in network.modules())
        assert all(value.equal(before[name]) for name, value in network.state_dict().items())

    def test_features_that_are_not_finite_fail_the_cell(self, source: VideoSource) -> None:
        network = backbone()
        next(network.parameters()).data.fill_(np.nan)
        first, videos = self.reads_first
        with pytest.raises(CellFailure, match=f"{videos} of {videos} {first} videos"):
            self.measured(source, network)
