"""Which videos a cell is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raysl.config.cell import CellConfig
from raysl.errors import ConfigError
from raysl.views.label_subset import label_subset
from raysl.views.window_sampler import window_sampler

if TYPE_CHECKING:
    from raysl.data.source import VideoSource


def training_videos(cell: CellConfig, source: VideoSource, split: str = "train") -> tuple[int, ...]:
    """Catalog indices, ascending: videos that the manifest has as readable, and labelled ones if labels are trained on.

    Of labelled videos it is the part ``supervised.label_fraction``. If boxes are trained on, it is indices into
    `Catalog.annotated`: the frames of the split with people in them, in readable videos.

    If the cell samples windows, videos that no window fits are left out, whether a term reads windows or not: rows of
    one study train on the same videos.

    Raises:
        ConfigError: supervised pretraining on videos without labels, or all of one class; no video fits a window; no
            frame has boxes, or one is outside its video.
    """
    if trains_boxes(cell):
        return tuple(index for index in annotated_frames(source, split) if source.catalog.annotated[index].people)
    videos = source.readable(split)
    if cell.pretraining != "supervised":
        return _that_fit(cell, source, tuple(video.index for video in videos))
    labelled = [video for video in videos if video.label is not None]
    labels = {video.label for video in labelled}
    if len(labels) < 2:
        found = "no labels" if not labels else f"one class ({source.catalog.classes[labels.pop() or 0]})"
        raise ConfigError(
            f"pretraining: supervised: the {len(videos)} readable {split} videos of data set {source.catalog.name!r} "
            f"have {found}; use a labelled set with two or more classes"
        )
    return tuple(video.index for video in label_subset(labelled, cell.supervised.label_fraction, cell.training.seed))


def trains_boxes(cell: CellConfig) -> bool:
    """Whether the cell is trained on people's boxes instead of video labels."""
    return cell.pretraining == "supervised" and cell.supervised.target == "boxes"


def training_lengths(cell: CellConfig, source: VideoSource, videos: Sequence[int]) -> list[int]:
    """Decoded frames of the video of each of `training_videos`."""
    annotated = source.catalog.annotated
    return [source.length(annotated[index].video if trains_boxes(cell) else index) for index in videos]


def annotated_frames(source: VideoSource, split: str) -> tuple[int, ...]:
    """Indices into `Catalog.annotated` of a split's frames in readable videos.

    Raises:
        ConfigError: there is none, or one is outside its video.
    """
    readable = {video.index for video in source.readable(split)}
    found = tuple(index for index, frame in enumerate(source.catalog.annotated) if frame.video in readable)
    if not any(source.catalog.annotated[index].people for index in found):
        raise ConfigError(f"data set {source.catalog.name!r} has no people's boxes in readable {split} videos")
    for index in found:
        frame_index(source, index)
    return found


def frame_index(source: VideoSource, annotated: int) -> int:
    """The index of an annotated frame in its video, by the video's mean rate.

    Raises:
        ConfigError: it is outside.
    """
    frame = source.catalog.annotated[annotated]
    row = source.manifest.rows[frame.video]
    index = round(frame.second * row.rate)
    if not 0 <= index < row.frames or row.rate <= 0:
        raise ConfigError(
            f"{frame.where}: the frame at second {frame.second:g} of the file is outside {row.path}, which has "
            f"{row.frames} frames, {row.rate:g} a second: correct the list, or set `first_second` of the "
            "data set to the second of the film at which files begin"
        )
    return index


def _that_fit(cell: CellConfig, source: VideoSource, videos: tuple[int, ...]) -> tuple[int, ...]:
    windows = window_sampler(cell)
    if windows is None:
        return videos
    fitting = tuple(video for video in videos if windows.fits(source.length(video)))
    if not fitting:
        raise ConfigError(
            f"sampling.windows: a window spans {windows.span} frames of video, and the longest of the {len(videos)} "
            f"readable videos has {max(map(source.length, videos), default=0)}; lower sampling.windows.skips "
            "(with sampling.windows.local_clips, which divides them) or clip.frames"
        )
    return fitting
