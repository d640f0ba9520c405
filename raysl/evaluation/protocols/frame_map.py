"""Mean average precision of actions in annotated frames (AVA), by the cell's own head on people's boxes.

The clip around each frame is read whole, with the short side of training, and each box is scored once: the boxes of a
person detector that come with the data set, or the annotated ones. Annotated boxes miss no person and add none, so the
metric then has another name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.data.catalog import AnnotatedFrame, Person
from raysl.data.catalogs.ava import EXCLUDED
from raysl.errors import CellFailure, ConfigError, NodeFault, RayslError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.frame_ap import ScoredFrame, frame_average_precision
from raysl.evaluation.network_protocol import NetworkOptions, NetworkProtocol
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.evaluation.workload import Workload
from raysl.views.training_videos import annotated_frames, trains_boxes

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from raysl.data.source import VideoSource
    from raysl.objectives.objective import Objective


class FrameMapOptions(NetworkOptions):
    """Which boxes are scored."""

    boxes: Literal["detected", "annotated"] = option(
        "detected",
        doc="boxes that are scored: of the person detector whose file comes with the data set, or the annotated ones",
        source="printed: CVRL Table 5 has a detector; code: SlowFast, mmaction2: given boxes of one",
    )
    min_score: float = option(
        0.9,
        doc="detected boxes with a lower score of the detector are left out",
        unit="share",
        source="code: mmaction2",
        ge=0,
        le=1,
    )


def metric_of(options: FrameMapOptions) -> str:
    """The metric's name."""
    return "mAP" if options.boxes == "detected" else "mAP_of_true_boxes"


class FrameMap(NetworkProtocol):
    """Metric: ``mAP`` in percent, the mean over actions that occur in a test frame; ``mAP_of_true_boxes`` if the
    annotated boxes are scored. Predictions: a row for each box, with its most likely action.
    """

    def __init__(self, options: FrameMapOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        cell, network, trained_on = task.network()
        catalog = task.source.catalog
        if catalog.classes != trained_on:
            raise ConfigError(
                f"the network was trained on other actions than those of {catalog.name}: test it on its own data set"
            )
        frames = annotated_frames(task.source, "test")
        given = {index: _given(self.options, catalog.annotated[index]) for index in frames}
        _check_given(self.options, list(given.values()))
        scores = self._scores(task, cell.clip, network, given)
        scored = [
            ScoredFrame(catalog.annotated[index].people, np.array([p.box for p in given[index]]), scores[index])
            for index in frames
        ]
        precision = 100.0 * frame_average_precision(scored, len(catalog.classes))
        known = ~np.isnan(precision)
        if not known.any():
            raise ConfigError(f"{catalog.name}: none of its actions occurs in a test frame")
        details: dict[str, object] = {
            "boxes": self.options.boxes,
            "test_frames": len(frames),
            "test_boxes": sum(map(len, given.values())),
            "excluded_frames": len(catalog.notes.get(EXCLUDED, ())),
            "class_average_precision": {
                name: float(own) for name, own in zip(catalog.classes, precision, strict=True) if own == own
            },
            "classes_without_test_boxes": [
                name for name, is_known in zip(catalog.classes, known, strict=True) if not is_known
            ],
        }
        metrics = {metric_of(self.options): float(precision[known].mean())}
        return EvaluationResult(metrics, _predictions(task.source, given, scores), details)

    def _scores(
        self, task: Task, clip: ClipOptions, network: Objective, given: dict[int, tuple[Person, ...]]
    ) -> dict[int, NDArray[np.float64]]:
        """``[P, C]`` probabilities of each frame's boxes, on every rank; blocks of one video's frames, in turn."""
        import torch

        from raysl.distributed import gather_objects, on_every_rank, rank, world_size
        from raysl.evaluation.clip_loading import ClipGroups, in_order
        from raysl.evaluation.over_videos import frozen
        from raysl.objectives.build import DETECTION
        from raysl.objectives.detection import Detection
        from raysl.training.precision import autocast
        from raysl.views.boxes import box_tensor

        annotated, term = task.source.catalog.annotated, network.term(DETECTION)
        assert isinstance(term, Detection)
        blocks: list[list[int]] = []
        for index in (index for index, people in given.items() if people):
            video = annotated[index].video
            if not blocks or len(blocks[-1]) == task.batch_clips or annotated[blocks[-1][0]].video != video:
                blocks.append([])
            blocks[-1].append(index)
        mine = blocks[rank() :: world_size()]
        groups = ClipGroups(lambda clips: term.reduce(network.backbone(clips)), task.device)

        def run() -> dict[int, NDArray[np.float64]]:
            found: dict[int, NDArray[np.float64]] = {}
            with frozen(network):
                loaded = in_order(task.source, partial(_loaded, task.source, clip), mine, task.device)
                for block, clips in zip(mine, loaded, strict=True):
                    with autocast(task.device, task.precision):
                        maps = groups(clips)
                        row = torch.tensor([row for row, index in enumerate(block) for _ in given[index]])
                        box = box_tensor([person.box for index in block for person in given[index]])
                        logits = term.scores(maps, row.to(task.device), box.to(task.device))
                    parts = logits.double().sigmoid().cpu().numpy()
                    ends = np.cumsum([len(given[index]) for index in block])[:-1]
                    found |= dict(zip(block, np.split(parts, ends), strict=True))
            return found

        empty = np.zeros((0, len(task.source.catalog.classes)))
        scores = dict.fromkeys(given, empty)
        for part in gather_objects(on_every_rank(run)):
            scores |= part
        bad = [index for index, own in scores.items() if not np.isfinite(own).all()]
        if bad:
            raise CellFailure(
                f"scores are not finite (NaN or infinite) in {len(bad)} of {len(given)} test frames",
                {"first_frame": annotated[bad[0]].where},
            )
        return scores


def _given(options: FrameMapOptions, frame: AnnotatedFrame) -> tuple[Person, ...]:
    """The boxes of a frame that are scored."""
    if options.boxes == "annotated":
        return frame.people
    return tuple(person for person in frame.detected if person.score >= options.min_score)


def _check_given(options: FrameMapOptions, given: list[tuple[Person, ...]]) -> None:
    if not any(given):
        raise ConfigError(
            f"no test frame has a detected box of score {options.min_score:g} (min_score) or more: put a detector's "
            "file next to the lists of the data set, or set boxes: annotated"
        )


def _loaded(source: VideoSource, clip: ClipOptions, block: list[int]) -> Tensor:
    import torch

    from raysl.views.boxes import frame_clip

    try:
        return torch.stack([frame_clip(source, index, clip) for index in block])
    except (RayslError, OSError) as error:
        video = source.catalog.videos[source.catalog.annotated[block[0]].video]
        raise NodeFault(
            f"{source.catalog.name}: {video.path} could be read earlier, and cannot now ({error}): restore the file",
            may_pass=True,
        ) from error


def _predictions(
    source: VideoSource, given: dict[int, tuple[Person, ...]], scores: dict[int, NDArray[np.float64]]
) -> pd.DataFrame:
    import pandas as pd

    catalog, rows = source.catalog, []
    for index, people in given.items():
        frame = catalog.annotated[index]
        for person, own in zip(people, scores[index], strict=True):
            best = int(own.argmax())
            path = catalog.videos[frame.video].path
            rows.append((frame.video, path, frame.second, *person.box, person.score, best, float(own[best])))
    columns = ["video", "path", "second", "left", "top", "right", "bottom", "box_score", "action", "probability"]
    return pd.DataFrame(rows, columns=columns)


def _check(options: FrameMapOptions, cell: CellConfig) -> None:
    if not trains_boxes(cell):
        raise ConfigError("frame_map: this cell is not trained on people's boxes: use detection, which trains one")


def _check_data(options: FrameMapOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    _check_given(options, [_given(options, frame) for frame in splits.annotated])


def _workload(options: FrameMapOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    return Workload(sum(bool(_given(options, frame)) for frame in splits.annotated), 1, cell.clip)


COMPONENT = Component(
    kind="protocol",
    options=FrameMapOptions,
    build=FrameMap,
    check=_check,
    check_data=_check_data,
    workload=_workload,
    metrics=lambda options: (metric_of(options),),
    boxes=True,
)
