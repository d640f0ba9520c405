"""Folders named like splits: train and val, Training and Testing, videos_train and videos_val, train2017 …"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raysl.data.catalogs.files import folded, subfolders
from raysl.errors import DataError

_WORDS = {
    "train": ("train", "training", "trainset", "trainval"),
    "val": ("val", "valid", "validate", "validation", "valset", "eval", "evaluation", "dev"),
    "test": ("test", "tests", "testing", "testset"),
}
_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z\d])|(?<=\d)(?=[A-Za-z])|(?<=[A-Z])(?=[A-Z][a-z]|\d)")
"""Between the words and numbers of ``TrainVideos``, ``UCFTrain`` and ``train2017``."""
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words}


@dataclass(frozen=True)
class Sides:
    """The folders in a folder that are named like splits.

    Attributes:
        names: all of them, sorted.
        train: the one for training.
        test: the one for testing: of the kind test, or else of the kind val.
        unused: of the kind val, if there is one of the kind test too.
        unclear: for a message, the ambiguous folders; empty if there are none.
    """

    names: tuple[str, ...] = ()
    train: str | None = None
    test: str | None = None
    unused: str | None = None
    unclear: str = ""

    @property
    def are_split(self) -> bool:
        """Whether there are any: two at least."""
        return bool(self.names)

    def account(self) -> tuple[str, ...]:
        """Which folder has which role, if they are not just train and test."""
        if (self.train, self.test, self.unused) == ("train", "test", None):
            return ()
        used = f"{self.train}/ is for training, {self.test}/ is for testing"
        return (used + (f", {self.unused}/ is not read" if self.unused else ""),)


def find_sides(folder: Path) -> Sides:
    """Finds two folders in ``folder`` with names of two kinds of split that are equal except for that word.

    Of several such pairs (``train``, ``test`` and ``rawframes_train``, ``rawframes_test``) the one with nothing but the
    word is used, or else the one called videos.

    Raises:
        DataError: the folder cannot be read.
    """
    pairs: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in subfolders(folder):
        if (parted := _kind(name)) is not None:
            pairs[parted[1]][parted[0]].append(name)
    splits = {rest: kinds for rest, kinds in pairs.items() if len(kinds) > 1}
    names = tuple(sorted(name for kinds in splits.values() for held in kinds.values() for name in held))
    if not splits:
        return Sides()
    meant = next((rest for rest in ("", "videos") if rest in splits), None)
    kinds = splits[next(iter(splits)) if meant is None else meant]
    if (meant is None and len(splits) > 1) or any(len(held) > 1 for held in kinds.values()):
        return Sides(names, unclear=f" that is clearly the one (it has {', '.join(names)})")
    train, val, test = (next(iter(kinds.get(kind, ())), None) for kind in ("train", "val", "test"))
    return Sides(names, train, test or val, val if test is not None else None)


def refuse_sides(folder: Path) -> None:
    """Refuses splits where classes are expected, also in each class folder.

    Raises:
        DataError: with how to read them.
    """
    sides = find_sides(folder)
    if sides.are_split:
        raise DataError(
            f"folder: {folder} has folders {_and(sides.names)}; set `split: folders` to read them as a split"
            + (f" ({sides.account()[0]})" if sides.train and sides.account() else "")
        )
    classes = subfolders(folder)
    below = [name for name in classes if find_sides(folder / name).are_split]
    if len(below) > 1:
        names = _and(find_sides(folder / below[0]).names)
        which = "each class folder" if below == classes else f"class folders ({', '.join(below[:3])}, …)"
        raise DataError(
            f"folder: {which} of {folder} has folders {names}, which would be read together; move them to "
            "root/train/CLASS/… and root/test/CLASS/…, and set `split: folders`"
        )


def _kind(name: str) -> tuple[str, str] | None:
    """``("train", "videos")`` for ``Videos_Train``; None if no word or several words are those of splits."""
    parts = [folded(part) for part in re.split(r"[\W_]+", _BOUNDARY.sub(" ", name)) if part]
    found = [part for part in parts if part in _KINDS]
    return (_KINDS[found[0]], " ".join(part for part in parts if part not in _KINDS)) if len(found) == 1 else None


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
