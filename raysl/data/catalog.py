"""A catalog: the table of a data set's videos, read from its official lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Video:
    """One video of a catalog.

    Attributes:
        index: its stable row in the catalog; keys random streams, banks and predictions.
        path: relative to the data set's root, with ``/``.
        label: class index, or None where there is no label.
        split: ``train``, ``test``, or the name the data set gives.
        group: videos that must not be parted between splits (UCF101's groups); None where there are none.
        fold: of a set that is split into folds, the one (from 1) in which the video is for testing, whichever fold was
            chosen; None where there are no folds.
    """

    index: int
    path: str
    label: int | None
    split: str
    group: str | None = None
    fold: int | None = None


@dataclass(frozen=True)
class Person:
    """A box around a person in one frame.

    Attributes:
        box: (left, top, right, bottom) as shares of the frame, 0 to 1.
        actions: class indices of what the person does, ascending; of a box that a detector found, none.
        score: the detector's, 0 to 1; 1 for an annotated box.
    """

    box: tuple[float, float, float, float]
    actions: tuple[int, ...] = ()
    score: float = 1.0


@dataclass(frozen=True)
class AnnotatedFrame:
    """One frame whose people are annotated with what they do (AVA's keyframes).

    Attributes:
        video: its catalog index.
        second: of the file, from its first frame on.
        people: annotated.
        detected: boxes that a person detector found there, if its boxes were given.
        where: file and line of the list, for messages.
    """

    video: int
    second: float
    people: tuple[Person, ...]
    detected: tuple[Person, ...] = ()
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Catalog:
    """All videos of a data set, whatever their split.

    Attributes:
        name: of the data set, for messages; never a path.
        classes: class names by index; empty where there are no labels.
        missing: listed videos whose files are absent (only with ``allow_missing``); of a set without lists, what has
            the name of a video and is no file: a link to nothing, a named pipe.
        notes: how the lists and what lies below the root were brought together, where that was no plain matter; by
            heading, one line a case. They enter no hash and are not stored.
        folder: below the root, where the set's files lie; what is elsewhere belongs to other sets.
        annotated: frames whose people have boxes, by video and time; ``classes`` are then actions of people, and videos
            have no labels.
    """

    name: str
    classes: tuple[str, ...]
    videos: tuple[Video, ...]
    missing: tuple[str, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    folder: str = field(default=".", compare=False)
    annotated: tuple[AnnotatedFrame, ...] = ()

    def split(self, name: str) -> tuple[Video, ...]:
        """The videos of one split, in catalog order."""
        return tuple(video for video in self.videos if video.split == name)


class CatalogReader(ABC):
    """Base of every data set: ``COMPONENT.build(options) -> CatalogReader``.

    Class attributes:
        needs_root: False for a data set that can make its own files (synthetic).
        has_lists: whether official lists say which videos there are, so that they may lie in another folder.

    Attributes:
        lists: the folder of the lists, where it is not the root.
    """

    needs_root: bool = True
    has_lists: bool = False
    lists: Path | None = None

    @abstractmethod
    def read(self, root: Path) -> Catalog:
        """Reads the lists below ``root``.

        Raises:
            DataError: naming the file and what to do: an absent or empty root, a list whose files are absent, a row
                that cannot be read, a class with one video.
        """

    def recording(self, video: Video) -> str | None:
        """What a video was cut from, or shows (a recording, a person), so that those of one name are not independent.

        A report tests over whole recordings. Unlike `Video.group` it enters no hash and parts no split, so that a set
        may say it of videos that its official split parts, by their names. None: not known.

        Args:
            video: of the catalog; of a store that has not kept the catalog, its path alone is right.
        """
        return video.group

    def listed(self, root: Path) -> Catalog:
        """The catalog as it will be read, of a data set that makes its own files before it has made them.

        Raises:
            DataError: as `read`.
        """
        return self.read(root)

    def prepare(self, root: Path) -> None:  # noqa: B027  (most data sets have nothing to make)
        """Makes the files below ``root`` where the data set can make them; safe to call from several processes.

        Data sets with other options may share the root, so files that depend on options lie in a folder that is named
        by them: no set replaces another's.
        """
