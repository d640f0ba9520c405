"""Inputs of several commands: studies with scale and overrides, roots, cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raysl.commands.roots import find_places
from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.shipped import shipped_name
from raysl.config.suggest import nearest
from raysl.data.places import Places
from raysl.errors import ConfigError
from raysl.planning.plan_study import plan_study
from raysl.planning.study import Study, existing, find_studies, load_study
from raysl.results import Shelf
from raysl.results import open as open_store
from raysl.work.site import known_data, needed_data


@dataclass(frozen=True)
class Planned:
    """One study and its cells."""

    study: Study
    cells: list[Cell]


def load_studies(paths: list[Path], scale: str | None, overrides: list[str]) -> list[Planned]:
    """Loads and plans every study among ``paths``.

    Raises:
        ConfigError: naming file, line and key.
    """
    planned = []
    for path in find_studies(paths):
        study = load_study(path, scale, overrides)
        if study.options.figures:
            _check_figures(study)
        planned.append(Planned(study, plan_study(study)))
    return planned


def as_argument(path: Path) -> str:
    """A study's name on the command line: its path as given, or the name of one that raysl ships."""
    name = shipped_name(path)
    if name is None or path.absolute().is_relative_to(Path.cwd()) or existing(Path(name)) != path:
        return str(path)
    return name


def _check_figures(study: Study) -> None:
    """Checks figures of other packages, before anything is computed.

    Raises:
        ConfigError: one does not exist, or is no figure.
    """
    from raysl.reports.figure import find_figures

    try:
        find_figures(study.options.figures)
    except ConfigError as error:
        raise ConfigError(f"{study.path}: figures: {error}") from error


def shelf_of(planned: list[Planned], storage: str, places: Places) -> Shelf:
    """The store, with what this machine knows of the studies' data; nothing is decoded."""
    return Shelf(open_store(storage), known_data(data_of(planned), places))


def data_of(planned: list[Planned]) -> list[Chosen]:
    """The data sets that cells, searches and evaluations read."""
    cells = [cell for item in planned for cell in item.cells]
    searches = [item.study.search for item in planned if item.study.search is not None]
    sets = [data for data, _ in needed_data(cells)]
    return sets + [data for search in searches for data in (search.base.cell.data, search.data)]


def refuse_one_name(planned: list[Planned]) -> None:
    """Refuses two studies whose reports would overwrite each other, before anything is computed.

    Raises:
        ConfigError: naming both files.
    """
    seen: dict[str, Path] = {}
    for item in planned:
        twin = seen.setdefault(item.study.report_name, item.study.path)
        if twin != item.study.path:
            raise ConfigError(
                f"{twin} and {item.study.path}: both would be reported to {item.study.report_name}/: rename one, or "
                "give them to two commands with different --reports"
            )


def places_for(
    planned: list[Planned], roots: list[str], cache: Path | None, cache_gigabytes: float | None = None
) -> Places:
    """`find_places`, with a check that the studies use every name.

    Raises:
        ConfigError: without ``=``, a repeated name, or one that nothing in the studies has.
    """
    places = find_places(roots, cache, cache_gigabytes)
    known = {name for item in planned for name in item.study.root_names}
    for name in places.unused(known):
        raise ConfigError(f"--root {name}: nothing in these studies has this name{nearest(name, known)}")
    return places
