"""Class activation maps: where in the frame the evidence for a class is, by a linear classifier on pooled features.

Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (https://arxiv.org/abs/1512.04150), Eq. 1 and
2: features are means over positions, so a class's score is the mean over positions of its weights times the
last feature map there. CSTP's Figure 6 and TCLR's Figures 17 to 20 draw maps over frames; which of them are of a class
was not recovered (ours). The class is the one that is predicted. Each map is correlated with how much the frames
change, as those of `attention`.

Shapes: B clips, K of a video, V videos, D channels, T', H', W' of the last feature map, P = H' W', C classes that were
taught.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component
from raysl.config.options import NO_UNIT, option
from raysl.data.catalog import Video
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.logistic import Logistic, check_folds, choose
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import (
    EvaluationResult,
    Features,
    LabelledVideos,
    Task,
    check_finite,
    check_videos,
    percent,
    prediction_table,
)
from raysl.evaluation.protocols.attention import Floats, change_at_positions, correlations, examples, shown
from raysl.evaluation.protocols.linear import LinearOptions
from raysl.evaluation.workload import Workload

if TYPE_CHECKING:
    from torch import Tensor


class ClassActivationOptions(PerClipOptions):
    """Options of the analysis. The classifier is that of protocol ``linear``, with the same normalisation."""

    clips: int = option(
        1,
        doc="clips of a video, whose features and maps are averaged",
        unit="clips",
        source="ours: the papers show one",
        ge=1,
        le=100,
    )
    c: Annotated[float, Field(gt=0, le=1e6)] | Literal["choose"] = option(
        "choose",
        doc="inverse strength of the classifier's L2 penalty; choose: by cross-validation",
        unit=NO_UNIT,
        source="ours",
    )


class ClassActivation(PerClipProtocol):
    """Class activation maps, and their correlation with motion.

    Metrics: ``top1``, percent of test videos classified correctly; ``on_motion``, percent with a map of the predicted
    class that is stronger where the frames change more; ``motion_correlation``, the mean of these correlations
    times 100. Every video counts the same.
    """

    def __init__(self, options: ClassActivationOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        """Predictions have ``predicted`` and the correlation of each video; the details a few maps.

        Raises:
            DataError: the training videos are of one class, or cannot be split to choose c; on every rank.
            ConfigError: the feature map has fewer than four positions; on every rank.
        """
        import torch

        from raysl.distributed import on_first_rank
        from raysl.evaluation.features import labelled_videos
        from raysl.evaluation.over_videos import over_videos

        train = self._features(task)
        videos = labelled_videos(task.source, "test")
        check_videos(train, LabelledVideos.of(videos), task.source.catalog.classes)
        weights, offsets, taught, details = on_first_rank(lambda: self._classifier(train, task.seed))
        scale = torch.from_numpy(weights.astype(np.float32)).to(task.device)

        def maps(batch: Tensor) -> Tensor:
            feature_map = task.backbone(batch).float()
            changed = change_at_positions(feature_map, batch, task)
            return torch.cat([class_maps(feature_map, scale).flatten(1), changed.flatten(1)], dim=1)

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
            reduce=partial(of_predicted, offsets=torch.from_numpy(offsets)),
        )
        check_finite("test", LabelledVideos.of(videos).path, values, "maps")
        return on_first_rank(partial(_result, videos, values.astype(np.float64), taught, details))

    def _features(self, task: Task) -> Features:
        from raysl.evaluation.features import extract_features

        found = extract_features(
            task.backbone,
            task.source,
            "train",
            task.clip,
            self.options.clips,
            batch_clips=task.batch_clips,
            device=task.device,
            precision=task.precision,
        )
        check_finite("train", found.path, found.values)
        return found

    def _classifier(self, train: Features, seed: int) -> tuple[Floats, Floats, list[int], dict[str, object]]:
        """Weights ``[C, D]`` and offsets ``[C]`` on features as they are, the classes, and how c was chosen."""
        linear = LinearOptions()
        solver = linear.solver
        details: dict[str, object] = {}
        c = self.options.c
        if isinstance(c, str):
            choice = choose(train, linear.grid, linear.folds, linear.normalize, solver, seed)
            c, details = choice.c, choice.details()
        model = solver.fit(train.values, train.label, c, linear.normalize)
        details |= {"c": c, "converged": model.converged, "train_videos": len(train)}
        return *raw_weights(model), model.classes.tolist(), details


def raw_weights(model: Logistic) -> tuple[Floats, Floats]:
    """Weights ``[C, D]`` and offsets ``[C]`` of a classifier without its normalisation (which is no unit length).

    Of two classes scikit-learn has one row, the second's score above the first's.
    """
    weights, offsets = np.asarray(model.classifier.coef_), np.asarray(model.classifier.intercept_)
    if len(weights) == 1:
        weights, offsets = np.concatenate([-weights, weights]) / 2, np.concatenate([-offsets, offsets]) / 2
    weights = weights / model.scale
    return weights, offsets - weights @ model.shift


def class_maps(feature_map: Tensor, weights: Tensor) -> Tensor:
    """``[B, D, T', H', W']`` and ``[C, D]`` to ``[B, C, P]``, whose means over P are the scores without offsets."""
    import torch

    with torch.autocast(feature_map.device.type, enabled=False):
        return torch.einsum("cd,bdp->bcp", weights, feature_map.mean(dim=2).flatten(2))


def of_predicted(values: Tensor, offsets: Tensor) -> Tensor:
    """Maps and changes of clips, ``[V, K, C P + P]``, to ``[V, 1 + 2 P]``: the class of the highest score over the
    clips, its place among those taught, then its map and the change, means over the clips."""
    import torch

    classes = len(offsets)
    found = values.mean(dim=1).view(len(values), classes + 1, -1)
    scores = found[:, :-1].double().mean(dim=2) + offsets.to(found.device)
    best = scores.argmax(dim=1)
    own = found[torch.arange(len(found), device=found.device), best]
    return torch.cat([best[:, None].to(found.dtype), own, found[:, -1]], dim=1)


def _result(
    videos: tuple[Video, ...], values: Floats, taught: list[int], details: dict[str, object]
) -> EvaluationResult:
    test = LabelledVideos.of(videos)
    predicted = np.array(taught, dtype=np.int64)[values[:, 0].astype(np.int64)]
    maps, changes = np.split(values[:, 1:], 2, axis=1)
    found, correct = correlations(maps, changes), predicted == test.label
    kept = [
        {
            "video": videos[row].path,
            "map": shown(maps[row] - maps[row].min()),
            "change": shown(changes[row]),
            "correlation": 100 * float(found[row]),
            "predicted": int(predicted[row]),
        }
        for row in examples(len(videos))
    ]
    metrics = {
        "top1": percent(correct),
        "on_motion": percent(found > 0),
        "motion_correlation": 100 * float(found.mean()),
    }
    table = prediction_table(test, correct, predicted=predicted, motion_correlation=100 * found)
    return EvaluationResult(metrics, table, {**details, "test_videos": len(videos), "class_activation": kept})


def _check_data(options: ClassActivationOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    """The folds that choose c depend only on labels and groups."""
    if isinstance(options.c, str):
        videos = LabelledVideos.of(splits.train)
        check_folds(Features(**vars(videos), values=np.zeros((len(videos), 1), np.float32)), LinearOptions().folds)


def _workload(options: ClassActivationOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    return Workload(len(splits.train) + len(splits.test), options.clips, cell.clip)


COMPONENT = Component(
    kind="protocol",
    options=ClassActivationOptions,
    build=ClassActivation,
    check_data=_check_data,
    metrics=lambda options: ("top1", "on_motion", "motion_correlation"),
    workload=_workload,
)
