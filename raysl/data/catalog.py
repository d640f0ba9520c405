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
        label: class index, or None without a label.
        split: ``train``, ``test``, or the name the data set gives.
        group: name shared by videos that must be in the same split (UCF101's groups); None without groups.
        fold: of a set that is split into folds, the one (from 1) in which the video is for testing, whichever fold was
            chosen; None without folds.
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
        actions: class indices of the person's actions, ascending; empty for a detector's box.
        score: the detector's, 0 to 1; 1 for an annotated box.
    """

    box: tuple[float, float, float, float]
    actions: tuple[int, ...] = ()
    score: float = 1.0


@dataclass(frozen=True)
class AnnotatedFrame:
    """One frame with annotated people and their actions (AVA's keyframes).

    Attributes:
        video: its catalog index.
        second: of the file, from its first frame on.
        people: annotated boxes.
        detected: boxes of a person detector, if its file is there.
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
        classes: class names by index; empty without labels.
        missing: listed videos without a file (only with ``allow_missing``); of a set without lists, names of videos
            that are no files: a link to nothing, a named pipe.
        notes: special cases in matching the lists with the files below the root; by heading, one line per case. They
            enter no hash and are not stored.
        folder: of the set's files, below the root; files elsewhere belong to other sets.
        annotated: frames with boxes of people, by video and time; ``classes`` are then actions of people, and videos
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
        has_lists: whether the set has official lists, which may be in another folder.

    Attributes:
        lists: the folder of the lists, if it is not the root.
    """

    needs_root: bool = True
    has_lists: bool = False
    lists: Path | None = None

    @abstractmethod
    def read(self, root: Path) -> Catalog:
        """Reads the lists below ``root``.

        Raises:
            DataError: naming the file and what to do: an absent or empty root, a list with absent files, a row that
                cannot be read, a class with one video.
        """

    def recording(self, video: Video) -> str | None:
        """The recording or person of a video; videos with the same one are not independent.

        A report tests over whole recordings. Unlike `Video.group` it enters no hash and does not influence splits, so
        that a set can derive it from names even if its official split divides recordings. None: unknown.

        Args:
            video: of the catalog; from a store without the catalog, only its path is valid.
        """
        return video.group

    def listed(self, root: Path) -> Catalog:
        """The catalog of a data set that makes its own files, before it has made them.

        Raises:
            DataError: as `read`.
        """
        return self.read(root)

    def prepare(self, root: Path) -> None:  # noqa: B027  (most data sets have nothing to make)
        """Makes the files below ``root`` if the data set can make them; safe to call from several processes.

        Data sets with other options may share the root, so files that depend on options are in a folder named after
        them: no set replaces another's files.
        """
