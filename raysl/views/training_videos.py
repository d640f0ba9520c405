"""Which videos a cell is trained on."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.views.label_subset import label_subset
from raysl.views.window_sampler import window_sampler


def training_videos(cell: CellConfig, source: VideoSource, split: str = "train") -> tuple[int, ...]:
    """Catalog indices, ascending: what the manifest says can be read, and has a label where labels are trained on.

    Of labelled videos it is the part that ``supervised.label_fraction`` asks for.

    Where the cell samples windows, whatever reads them, videos that no window fits are left out: rows of one study
    train on the same videos.

    Raises:
        ConfigError: supervised pretraining on videos without labels, or all of one class; no video fits a window.
    """
    videos = source.readable(split)
    if cell.pretraining != "supervised":
        return _that_fit(cell, source, tuple(video.index for video in videos))
    labelled = [video for video in videos if video.label is not None]
    labels = {video.label for video in labelled}
    if len(labels) < 2:
        found = "no labels" if not labels else f"one class ({source.catalog.classes[labels.pop() or 0]})"
        raise ConfigError(
            f"pretraining: supervised: the {len(videos)} readable {split} videos of data set {source.catalog.name!r} "
            f"have {found}; take a labelled set with two or more classes"
        )
    return tuple(video.index for video in label_subset(labelled, cell.supervised.label_fraction, cell.training.seed))


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
