"""Which videos a cell is trained on."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import ConfigError


def training_videos(cell: CellConfig, source: VideoSource, split: str = "train") -> tuple[int, ...]:
    """Catalog indices, ascending: what the manifest says can be read, and has a label where labels are trained on.

    Raises:
        ConfigError: supervised pretraining on videos without labels, or all of one class.
    """
    videos = source.readable(split)
    if cell.pretraining != "supervised":
        return tuple(video.index for video in videos)
    labelled = [video for video in videos if video.label is not None]
    labels = {video.label for video in labelled}
    if len(labels) < 2:
        found = "no labels" if not labels else f"one class ({source.catalog.classes[labels.pop() or 0]})"
        raise ConfigError(
            f"pretraining: supervised: the {len(videos)} readable {split} videos of data set {source.catalog.name!r} "
            f"have {found}; take a labelled set with two or more classes"
        )
    return tuple(video.index for video in labelled)
