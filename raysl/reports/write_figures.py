"""The figures of a report, in its folder ``figures``: ``NAME.svg``, ``NAME.png``, and their data, ``NAME.csv``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raysl.errors import StorageError
from raysl.reports.figure import FigureInput, find_figures
from raysl.reports.write import write_file
from raysl.results.place import Place

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "figures"
FORMATS = ("svg", "png")


@dataclass(frozen=True)
class DrawnFigure:
    """A figure that the study has something of.

    Attributes:
        data: as CSV.
        pictures: format to content.
    """

    name: str
    title: str
    caption: str
    data: bytes
    pictures: Mapping[str, bytes]

    def files(self, formats: Collection[str]) -> dict[str, bytes]:
        """Path below the report's folder to content, the data first."""
        pictures = {kind: content for kind, content in self.pictures.items() if kind in formats}
        return {f"{FOLDER}/{self.name}.{kind}": content for kind, content in {"csv": self.data, **pictures}.items()}


def draws(formats: Collection[str]) -> bool:
    """Whether figures are among the formats of a report."""
    return any(name in formats for name in FORMATS)


def draw_figures(source: FigureInput, formats: Collection[str], others: Sequence[str] = ()) -> list[DrawnFigure]:
    """Draws the figures that suit the study, each once, whatever is made of it.

    Args:
        formats: ``svg``, ``png`` or both; others are not drawn.
        others: import paths of figures in other packages.

    Raises:
        ConfigError: one of these is no figure.
    """
    from raysl.reports.draw import draw  # which imports matplotlib

    drawn = []
    for name, figure in find_figures(tuple(others)).items():
        data = figure.table(source)
        if len(data):
            pictures = draw(figure, data, formats)
            text = as_csv(data.drop(columns=list(figure.undrawn)))
            drawn.append(DrawnFigure(name, figure.title, figure.caption, text, pictures))
    return drawn


def write_figures(
    drawn: Iterable[DrawnFigure], place: Place, formats: Collection[str], others: Sequence[str] = ()
) -> None:
    """Writes figures, and takes away those of an earlier report that no longer suit the study.

    Args:
        place: the report's folder.
        formats: of the pictures that are written.
        others: as of `draw_figures`.

    Raises:
        StorageError: they cannot be written.
    """
    files = {file: content for figure in drawn for file, content in figure.files(formats).items()}
    for file, content in files.items():
        write_file(place, file, content)
    _take_away(place, files, find_figures(tuple(others)))


def as_csv(data: pd.DataFrame) -> bytes:
    """What is absent is empty; numbers have six digits, as in ``table.csv``."""
    text: str = data.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    return text.encode(errors="backslashreplace")


def _take_away(place: Place, written: Collection[str], names: Iterable[str]) -> None:
    """Files of known figures alone: a person may keep others beside them."""
    known = {f"{FOLDER}/{name}.{kind}" for name in names for kind in ("csv", *FORMATS)}
    for file in sorted(known.intersection(place.sizes(FOLDER)) - set(written)):
        try:
            place.delete(file)
        except StorageError as error:
            raise StorageError(
                f"{place.shown}/{file} is of an earlier report and cannot be deleted: {error.__cause__}"
            ) from error
