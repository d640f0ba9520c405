"""Where in the frame the last feature map is strong, and whether that is where something moves.

TCLR's Figures 17 to 20 draw the attention of the last convolutional block, made as by Zagoruyko and Komodakis 2017
("Paying More Attention to Attention", https://arxiv.org/abs/1612.03928, sums over channels of powers), CSTP's Figure 6
the activation of the last convolution. Here they are the means over channels and time of the squared feature map (p =
2, ours), of the middle clip of every test video: no class needs to be learned. Pictures alone compare nothing, so each
map is also correlated with how much the frames change there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component
from raysl.config.options import option
from raysl.data.catalog import Video
from raysl.errors import ConfigError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, Task, check_finite, percent, prediction_table
from raysl.evaluation.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
EXAMPLES = 5
"""Videos whose maps are kept, spread over the test videos and the same for every network."""
LEAST_POSITIONS = 4
DECIMALS = 4


class AttentionOptions(PerClipOptions):
    """Options of the analysis."""

    clips: int = option(
        1,
        doc="clips of a video, whose maps are averaged",
        unit="clips",
        source="ours: the papers show one",
        ge=1,
        le=100,
    )


class Attention(PerClipProtocol):
    """Attention maps, and their correlation with motion.

    Metrics: ``on_motion``, percent of videos with a map that is stronger where the frames change more (a positive
    correlation over the positions of the map); ``motion_correlation``, the mean of these correlations times 100. A map
    or a change that is the same everywhere counts as no correlation. Every video counts the same.
    """

    def __init__(self, options: AttentionOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        """Predictions have the correlation of each video; the details a few maps, ``attention``.

        Raises:
            ConfigError: the feature map has fewer than four positions; on every rank.
        """
        import torch

        from raysl.distributed import on_first_rank
        from raysl.evaluation.features import labelled_videos
        from raysl.evaluation.over_videos import over_videos

        videos = labelled_videos(task.source, "test")

        def maps(batch: Tensor) -> Tensor:
            feature_map = task.backbone(batch).float()
            return torch.stack([attention(feature_map), change_at_positions(feature_map, batch, task)], dim=1).flatten(
                1
            )

        values = over_videos(
            maps,
            task.backbone,
            task.source,
            videos,
            task.clip,
            self.options.clips,
            batch_clips=task.batch_clips,
            device=task.device,
            precision=task.precision,
        )
        check_finite("test", LabelledVideos.of(videos).path, values, "maps")
        return on_first_rank(partial(_result, videos, values.reshape(len(videos), 2, -1).astype(np.float64)))


def change_at_positions(feature_map: Tensor, clips: Tensor, task: Task) -> Tensor:
    """``[B, H', W']``: how much the frames of clips change, at the positions of their maps ``[B, D, T', H', W']``.

    Raises:
        ConfigError: the map has fewer than four positions, too few to correlate over.
    """
    import torch.nn.functional as F

    height, width = feature_map.shape[3:]
    if height * width < LEAST_POSITIONS:
        raise ConfigError(f"the feature map has {height * width} position(s) to compare; use larger clips")
    return F.adaptive_avg_pool2d(change(clips.float(), already=task.clip.input == "difference"), (height, width))


def attention(feature_map: Tensor) -> Tensor:
    """``[B, D, T', H', W']`` to ``[B, H', W']``: the mean over channels and time of squares."""
    return feature_map.square().mean(dim=(1, 2))


def change(clips: Tensor, *, already: bool) -> Tensor:
    """``[B, 3, T, H, W]`` as the network reads them to ``[B, H, W]``: how much consecutive frames differ.

    Args:
        already: the clips are differences of frames.
    """
    differences = clips if already else clips[:, :, 1:] - clips[:, :, :-1]
    return differences.abs().mean(dim=(1, 2))


def correlations(first: Floats, second: Floats) -> Floats:
    """``[V]`` Pearson correlations of the rows of two ``[V, P]``; 0 if one of them has no spread."""
    one, other = (values - values.mean(axis=1, keepdims=True) for values in (first, second))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    known = lengths > 1e-12 * np.abs(first).max(axis=1) * np.abs(second).max(axis=1)
    return np.asarray(np.divide((one * other).sum(axis=1), lengths, out=np.zeros(len(one)), where=known))


def _result(videos: tuple[Video, ...], values: Floats) -> EvaluationResult:
    found = correlations(values[:, 0], values[:, 1])
    correct = found > 0
    details: dict[str, object] = {
        "test_videos": len(videos),
        "attention": [
            {
                "video": videos[row].path,
                "map": shown(values[row, 0]),
                "change": shown(values[row, 1]),
                "correlation": 100 * float(found[row]),
            }
            for row in examples(len(videos))
        ],
    }
    metrics = {"on_motion": percent(correct), "motion_correlation": 100 * float(found.mean())}
    return EvaluationResult(
        metrics, prediction_table(LabelledVideos.of(videos), correct, motion_correlation=100 * found), details
    )


def examples(videos: int) -> list[int]:
    """Rows of the videos whose maps are kept."""
    return np.unique(np.linspace(0, videos - 1, EXAMPLES).astype(np.int64)).tolist()  # type: ignore[no-any-return]


def shown(values: Floats) -> list[list[float]]:
    """``[P]`` as ``[H', W']`` of shares of its largest value; clips are square, and so are their maps."""
    side = int(np.sqrt(len(values)))
    return np.round(values.reshape(side, side) / max(values.max(), 1e-30), DECIMALS).tolist()  # type: ignore[no-any-return]


def _workload(options: AttentionOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    return Workload(len(splits.test), options.clips, cell.clip)


COMPONENT = Component(
    kind="protocol",
    options=AttentionOptions,
    build=Attention,
    metrics=lambda options: ("on_motion", "motion_correlation"),
    workload=_workload,
)
