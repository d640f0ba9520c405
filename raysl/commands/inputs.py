"""What several commands are given: studies with scale and overrides, roots, cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from raysl.data.places import Places
from raysl.errors import ConfigError
from raysl.planning.plan import PlannedCell, plan_study
from raysl.planning.study import Study, find_studies, load_study


@dataclass(frozen=True)
class Planned:
    """One study and its cells."""

    study: Study
    cells: list[PlannedCell]


def load_studies(paths: list[Path], scale: str | None, overrides: list[str]) -> list[Planned]:
    """Loads and plans every study among ``paths``.

    Raises:
        ConfigError: naming file, line and key.
    """
    planned = []
    for path in find_studies(paths):
        study = load_study(path, scale, overrides)
        planned.append(Planned(study, plan_study(study)))
    return planned


def refuse_one_name(planned: list[Planned]) -> None:
    """Refuses two studies whose reports would overwrite each other; asked before anything is computed.

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


def find_places(roots: list[str], cache: Path | None) -> Places:
    """``["ucf101=/data/ucf"]`` from ``--root`` with what environment and the user's file give.

    Raises:
        ConfigError: without ``=``.
    """
    given = {}
    for root in roots:
        name, equals, path = root.partition("=")
        if not equals or not name or not path:
            raise ConfigError(f"--root {root}: write --root NAME=PATH, for instance --root ucf101=/data/UCF-101")
        given[name] = Path(path).expanduser().resolve()
    return Places.find(given, cache)
