"""Videos that cannot be read: counted from the manifest and while training, and too many of them fail the cell."""

from __future__ import annotations

from collections.abc import Iterable

from raysl.data.source import VideoSource
from raysl.distributed import of_all_ranks
from raysl.errors import DECIDED_BY, CellFailure, NodeFault

OPTION = "training.max_unreadable"


class Unreadable:
    """The unreadable videos of the training split.

    Attributes:
        known: path to reason, from the manifest; left out of every epoch.
        later: paths that failed while training and were replaced, each once.
    """

    def __init__(self, source: VideoSource, largest_share: float) -> None:
        paths = {video.path for video in source.catalog.split("train")}
        self.known = {path: why for path, why in source.manifest.unreadable().items() if path in paths}
        self.later: list[str] = []
        self._total = len(paths)
        self._largest_share = largest_share

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.known, *self.later)

    @property
    def count(self) -> int:
        return len(self.known) + len(self.later)

    def reasons(self) -> dict[str, str]:
        """Path to reason, for provenance."""
        return {**self.known, **dict.fromkeys(self.later, "failed while training; replaced by another video")}

    def add(self, paths: Iterable[str]) -> None:
        """Counts videos that failed while training, each once however often it fails."""
        counted = set(self.paths)
        for path in paths:
            if path not in counted:
                counted.add(path)
                self.later.append(path)

    def check(self, step: int) -> None:
        """Refuses to continue if the share is above ``training.max_unreadable``; every rank counts the same videos.

        Raises:
            CellFailure: counting videos that the manifest marks, which are the same wherever these files are.
            NodeFault: counting also videos that could not be read this time.
        """
        if self._total == 0:
            raise CellFailure("the training split has no videos", {"step": step})
        if len(self.known) / self._total > self._largest_share:
            details = {"step": step, "unreadable": self.reasons()}
            # It enters no id, so that the store is asked whether the same share is allowed now.
            raise CellFailure(self._message(len(self.known)), {**details, DECIDED_BY: {OPTION: self._largest_share}})
        if self.count / self._total > self._largest_share:
            raise of_all_ranks(
                NodeFault(
                    f"{self._message(self.count)}; {len(self.later)} of them could be read before, first "
                    f"{self.later[0]}: is their disk all right?",
                    may_pass=True,
                )
            )

    def _message(self, count: int) -> str:
        return (
            f"{count} of {self._total} training videos cannot be read ({count / self._total:.1%}; "
            f"{OPTION} is {self._largest_share:.1%})"
        )
