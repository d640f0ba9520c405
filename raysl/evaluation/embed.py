"""Features of any videos under the frozen backbone of a cell, made as its evaluations make theirs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import resolved
from raysl.data.catalog import Video
from raysl.data.manifest import Progress
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, DataError
from raysl.evaluation.feature_protocol import FeatureOptions, reading
from raysl.evaluation.features import features_of
from raysl.evaluation.protocol import check_finite
from raysl.models.backbone import Backbone
from raysl.training.precision import resolve_precision
from raysl.training.threads import cpu_threads

BATCH_CLIPS, BLOCKS = 40, 8
"""Clips of a forward pass, as evaluations have them, and forward passes between two words of progress."""

METADATA = "raysl"
"""The key of a Parquet schema under which `Embedding.made` lies, as JSON."""


@dataclass(frozen=True)
class Embedding:
    """Features of videos, one row each, in the order in which the videos were given.

    Attributes:
        paths: N paths, as they were given or as the data set has them.
        labels: N names of classes, None where a video has none.
        splits: N names of splits, None for videos that are of no data set.
        values: ``[N, D]`` float32, means over the clips of a video, in no particular range.
        unreadable: path to reason, of videos that cannot be decoded; they have no row, and no other stands in.
        made: JSON-serialisable: the cell, and how clips were taken.
    """

    paths: tuple[str, ...]
    labels: tuple[str | None, ...]
    splits: tuple[str | None, ...]
    values: NDArray[np.float32]
    unreadable: Mapping[str, str]
    made: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.paths)

    def frame(self) -> pd.DataFrame:
        """Columns ``path``, ``label``, ``split`` and ``features``, an array of D numbers in each row."""
        named = {"path": self.paths, "label": self.labels, "split": self.splits}
        return pd.DataFrame({**{name: list(values) for name, values in named.items()}, "features": list(self.values)})

    def to_parquet(self) -> bytes:
        """The rows with ``features`` as a list of float32; what made them, and what is unreadable, in the schema."""
        columns = {
            "path": pa.array(self.paths, pa.string()),
            "label": pa.array(self.labels, pa.string()),
            "split": pa.array(self.splits, pa.string()),
            "features": pa.array(list(self.values), pa.list_(pa.float32())),
        }
        about = json.dumps({**self.made, "unreadable": dict(self.unreadable)}, ensure_ascii=False)
        sink = io.BytesIO()
        pq.write_table(pa.table(columns).replace_schema_metadata({METADATA: about}), sink)
        return sink.getvalue()


def sampling_of(evaluations: Mapping[str, EvaluationConfig], wanted: str | None, clips: int | None) -> FeatureOptions:
    """How an embedding takes clips.

    Args:
        evaluations: of the cell, by label.
        wanted: the label of one of them, or its protocol's name; None: they agree, or there is none.
        clips: of a video; None: as the evaluation has it.

    Raises:
        ConfigError: no such evaluation; one that does not read whole videos; several that differ, and none is named.
    """
    reads = {label: one.protocol for label, one in evaluations.items() if _reads_videos(one.protocol)}
    chosen = {label: one for label, one in reads.items() if wanted in (None, label, one.name)}
    if wanted is not None and not chosen:
        known = ", ".join(reads) or "none"
        raise ConfigError(f"--protocol {wanted}: no evaluation of this cell on features of videos; there are: {known}")
    ways: dict[tuple[object, ...], tuple[str, FeatureOptions]] = {}
    for label, one in chosen.items():
        options = _with_clips(one.options, clips)
        ways.setdefault((reading(options, "train"), reading(options, "test")), (label, options))
    if len(ways) > 1:
        labels = " or ".join(f"--protocol {label}" for label, _ in ways.values())
        raise ConfigError(f"the cell's evaluations take clips in {len(ways)} ways: choose one with {labels}")
    return next((options for _, options in ways.values()), _with_clips(FeatureOptions(), clips))


def _with_clips(options: FeatureOptions, clips: int | None) -> FeatureOptions:
    """What of a protocol's options makes features, with another number of clips."""
    given = {name: getattr(options, name) for name in FeatureOptions.model_fields}
    return FeatureOptions(**{**given, **({} if clips is None else {"clips": clips, "train_clips": None})})


def _reads_videos(protocol: Chosen) -> bool:
    return isinstance(protocol.options, FeatureOptions) and not protocol.options.projected


def embed(
    backbone: Backbone,
    cell: CellConfig,
    source: VideoSource,
    options: FeatureOptions,
    *,
    device: torch.device,
    splits: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    made: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
) -> Embedding:
    """Features of all readable videos of a source, labelled or not, split by split.

    With the options of an evaluation they are bit for bit those that it reads, on the same machine, where all videos of
    the split have labels; other videos beside them change the batches of the forward pass, and so the last bits.

    Args:
        backbone: of the cell; it is brought to ``device``.
        splits: that are read; None: all.
        names: of the videos in the catalog's order; None: their paths.
        made: goes into `Embedding.made`.
        on_progress: called with the number of videos done and of all, now and then.

    Raises:
        DataError: no video can be read, or there is no such split.
        CellFailure: features that are not finite.
        NodeFault: a video could be read when the source was opened, and cannot now.
    """
    catalog, clip = source.catalog, options.clip.of(cell.clip)
    there = list(dict.fromkeys(video.split for video in catalog.videos))
    wanted = there if splits is None else list(splits)
    named = [video.path for video in catalog.videos] if names is None else names
    errors = [row.error for row in source.manifest.rows]
    bad = {named[v.index]: str(errors[v.index]) for v in catalog.videos if errors[v.index] and v.split in wanted}
    precision = resolve_precision(cell.training.precision, device)
    chosen = {split: source.readable(split) for split in wanted}
    features = partial(
        features_of,
        backbone.to(device),
        source,
        batch_clips=BATCH_CLIPS,
        device=device,
        precision=precision,
        crops=options.crops,
        space=options.pool == "space",
        normalize=options.normalize_clips,
    )
    videos, values = list[Video](), list[NDArray[np.float32]]()
    with cpu_threads(cell):
        for split, part in _parts(chosen, options):
            found = features(part, clip, options.clips_of(split))
            check_finite(split, tuple(named[video.index] for video in part), found)
            videos += part
            values.append(found)
            if on_progress is not None:
                on_progress(len(videos), sum(map(len, chosen.values())))
    if not videos:
        first = next(iter(bad.items()), ("", ""))
        raise DataError(f"none of the {len(bad)} videos can be read (first: {first[0]}: {first[1]})")
    ways = {"clip": resolved(clip), **{k: v for k, v in resolved(options).items() if k != "clip"}}
    return Embedding(
        paths=tuple(named[video.index] for video in videos),
        labels=tuple(None if video.label is None else catalog.classes[video.label] for video in videos),
        splits=tuple(video.split if names is None else None for video in videos),
        values=np.concatenate(values),
        unreadable=bad,
        made={**(made or {}), "sampling": ways, "precision": precision},
    )


def _parts(chosen: Mapping[str, Sequence[Video]], options: FeatureOptions) -> Iterator[tuple[str, Sequence[Video]]]:
    """Splits in whole blocks of `over_videos`, so that its forward passes hold what they would without parts."""
    for split, videos in chosen.items():
        size = BLOCKS * max(1, BATCH_CLIPS // (options.clips_of(split) * options.crops))
        for start in range(0, len(videos), size):
            yield split, videos[start : start + size]
