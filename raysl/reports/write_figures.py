"""The figures of a report, in its folder ``figures``: ``NAME.svg``, ``NAME.png``, and their data, ``NAME.csv``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from raysl.errors import StorageError
from raysl.reports.figure import Figure, FigureInput, find_figures
from raysl.reports.write import write_file
from raysl.results.place import Place

FOLDER = "figures"
FORMATS = ("svg", "png")


@dataclass(frozen=True)
class DrawnFigure:
    """A figure that was written.

    Attributes:
        files: relative to the report's folder, the data first.
    """

    name: str
    title: str
    caption: str
    files: tuple[str, ...]


def draws(formats: Collection[str]) -> bool:
    """Whether figures are among the formats of a report."""
    return any(name in formats for name in FORMATS)


def write_figures(source: FigureInput, place: Place, formats: Collection[str]) -> list[DrawnFigure]:
    """Draws the figures that suit the study, and takes away those of an earlier report that no longer do.

    Args:
        place: the report's folder.
        formats: ``svg``, ``png`` or both; others are not written here.

    Raises:
        StorageError: they cannot be written.
    """
    drawn = []
    tables = {name: figure.table(source) for name, figure in find_figures().items()}
    for name, figure in find_figures().items():
        if len(tables[name]):
            files = figure_files(name, figure, tables[name], formats)
            for file, content in files.items():
                write_file(place, file, content)
            drawn.append(DrawnFigure(name, figure.title, figure.caption, tuple(files)))
    _take_away(place, {file for one in drawn for file in one.files})
    return drawn


def figure_files(name: str, figure: Figure, data: pd.DataFrame, formats: Collection[str]) -> dict[str, bytes]:
    """Path below the report's folder to content."""
    from raysl.reports.draw import draw  # which imports matplotlib

    pictures = draw(figure, data, formats)
    return {f"{FOLDER}/{name}.csv": as_csv(data)} | {
        f"{FOLDER}/{name}.{kind}": content for kind, content in pictures.items()
    }


def as_csv(data: pd.DataFrame) -> bytes:
    """What is absent is empty; numbers have six digits, as in ``table.csv``."""
    text: str = data.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    return text.encode(errors="backslashreplace")


def _take_away(place: Place, written: Collection[str]) -> None:
    """Files of our figures alone: a person may keep others beside them."""
    known = {f"{FOLDER}/{name}.{kind}" for name in find_figures() for kind in ("csv", *FORMATS)}
    for file in sorted(known.intersection(place.sizes(FOLDER)) - set(written)):
        try:
            place.delete(file)
        except StorageError as error:
            raise StorageError(
                f"{place.shown}/{file} is of an earlier report and cannot be deleted: {error.__cause__}"
            ) from error
