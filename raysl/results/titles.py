"""Which rows of which studies the cells of a store belong to: a cell itself knows none, since studies share it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from raysl.config.cells import Cell, unique_cells
from raysl.errors import ObstructedError
from raysl.results.encoding import UnreadableError, read_json, to_json
from raysl.results.place import Place

FOLDER = "studies"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Title:
    """A row's cell at a seed.

    Attributes:
        study, row, seed: as in `raysl.config.cells.Cell`.
        scale: of the study.
        text: the cell's whole title, ``quickstart/SimCLR/seed1``; of one behind an evaluation with that at its end.
    """

    study: str
    row: str
    seed: int
    scale: str
    text: str


Titles = Mapping[str, tuple[Title, ...]]
"""Cell id to its titles."""


def titles_of(cells: Iterable[Cell], scale: str) -> dict[str, tuple[Title, ...]]:
    """The titles of a study's cells, and of the cells that these start from or that stand behind their evaluations."""
    found: dict[str, tuple[Title, ...]] = {}
    cells = list(cells)
    for cell in [*cells, *unique_cells(cells)]:
        title = Title(cell.study, cell.row, cell.seed, scale, cell.title)
        known = found.setdefault(cell.id, ())
        if title not in known:
            found[cell.id] = (*known, title)
    return found


def write_titles(place: Place, report_name: str, titles: Titles) -> None:
    """Keeps the titles of a study's cells in the store at ``place``, in place of what an earlier run of it kept.

    Args:
        report_name: of the study at its scale and with its overrides (`raysl.planning.study.Study`).

    Raises:
        StorageError: it cannot be written.
    """
    cells = [{"cell": id, **asdict(title)} for id, ones in titles.items() for title in ones]
    place.write(f"{FOLDER}/{report_name}.json", to_json({"cells": cells}))


def read_titles(place: Place) -> Titles:
    """What runs have kept of all studies; a file that cannot be read says nothing, and the next run writes it anew.

    Raises:
        StorageError: the store itself cannot be read.
    """
    found: dict[str, tuple[Title, ...]] = {}
    for path in sorted(place.sizes(FOLDER)):
        try:
            record = read_json(place, path) or {}
            listed = [(str(one.pop("cell")), Title(**one)) for one in record["cells"]]
        except (UnreadableError, ObstructedError, KeyError, TypeError, AttributeError) as error:
            _log.warning("%s/%s: titles of cells left out: %s", place.shown, path, error)
            continue
        for id, title in listed:
            known = found.setdefault(id, ())
            if title not in known:
                found[id] = (*known, title)
    return found
