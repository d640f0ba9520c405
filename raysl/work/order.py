"""The order in which cells of a run begin: a cell that starts from another begins as soon as that one is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raysl.results import StoredCell
from raysl.work.site import Site


class Order:
    """Decides whether each cell may begin.

    Args:
        tasks: cells of a run.
        starts: key of a cell to that of another of them, which it starts from; others may begin at once.
    """

    def __init__(self, tasks: Sequence[StoredCell], starts: Mapping[str, str], site: Site) -> None:
        self._tasks, self._starts, self._site = {task.cell.key: task for task in tasks}, starts, site
        self._awaited = frozenset(starts.values())
        self._done: dict[str, bool] = {}

    def end(self, key: str) -> None:
        """To be called with each cell that ended, however it did.

        Raises:
            StorageError: whether it is done cannot be read.
        """
        if key in self._awaited:
            self._done[key] = self._site.folder(self._tasks[key].cell).state().status == "done"

    def may_begin(self, key: str) -> bool | None:
        """False: not yet; None: never, since what it starts from has ended and is not done."""
        start = self._starts.get(key)
        if start is None:
            return True
        if start in self._done:
            return self._done[start] or None
        return None if self.may_begin(start) is None else False


def in_order(tasks: Sequence[StoredCell], known: Mapping[str, StoredCell]) -> tuple[list[StoredCell], dict[str, str]]:
    """The cells that can begin, or can once others of them are done, each after the one that it starts from.

    One seed of every row comes before the next seed: a run that is stopped leaves rows to compare.

    Args:
        known: every cell of the run, by its key.

    Returns:
        These cells, and which of them start from which (`Order`).
    """
    left = list(tasks)
    while True:
        keys = {name: task.cell.key for task in left if (name := folder_name(task)) is not None}
        starts = {
            task.cell.key: keys.get(folder_name(begun) or "")
            for task in left
            if (begun := not_done(task, known)) is not None
        }
        able = [task for task in left if starts.get(task.cell.key, "") is not None]
        if len(able) == len(left):
            break
        left = able
    found = {key: start for key, start in starts.items() if start is not None}
    seeds = {task.cell.key: task.cell.seed for task in left}

    def place(task: StoredCell) -> tuple[int, int]:
        chain = [task.cell.key]
        while chain[-1] in found:
            chain.append(found[chain[-1]])
        return max(seeds[key] for key in chain), len(chain)

    return sorted(left, key=place), found


def not_done(task: StoredCell, known: Mapping[str, StoredCell]) -> StoredCell | None:
    """The cell that this one starts from, if that is not done; None: it can begin."""
    begun = None if task.cell.start is None else known[task.cell.start.key]
    return None if begun is None or begun.state.status == "done" else begun


def folder_name(found: StoredCell) -> str | None:
    """Of its folder in the store; None where its data, which is part of the name, is not known."""
    return None if found.folder is None else found.folder.name
