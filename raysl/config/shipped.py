"""The studies, recipes and scales that come with raysl, by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from raysl.errors import ConfigError

FOLDER = "search_spaces"
EXTENDED = ("recipes", "scales")
"""Folders of files that studies are made from; all others hold studies."""


@cache
def shipped_folder() -> Path | None:
    """The folder of all of them: within the installed package, or next to it in a clone.

    None if only the package was copied, for instance to a cluster.
    """
    package = Path(str(files("raysl")))
    return next((folder for folder in (package / FOLDER, package.parent / FOLDER) if folder.is_dir()), None)


def all_shipped() -> Path:
    """As `shipped_folder`.

    Raises:
        ConfigError: there is none.
    """
    folder = shipped_folder()
    if folder is None:
        raise ConfigError("raysl's own studies are not here: only its code was copied; install it with pip")
    return folder


def shipped_path(name: str) -> Path | None:
    """The file of ``taco/table1_single_tasks`` or ``recipes/simclr``, or the folder of all of ``taco``."""
    top = shipped_folder()
    if top is None or name.startswith("/") or not set(name.split("/")).isdisjoint({"", ".", ".."}):
        return None
    file, folder = top / f"{name}.yaml", top / name
    return file if file.is_file() else folder if folder.is_dir() else None


def shipped_name(path: Path) -> str | None:
    """The name by which `shipped_path` finds a file; None for a user's own file."""
    top = shipped_folder()
    if top is None or not path.resolve().is_relative_to(top.resolve()):
        return None
    return path.resolve().relative_to(top.resolve()).with_suffix("").as_posix()


def shipped_studies() -> tuple[str, ...]:
    """The names of all studies, without those of recipes and scales."""
    top = shipped_folder()
    names = () if top is None else (file.relative_to(top).with_suffix("") for file in sorted(top.rglob("*.yaml")))
    return tuple(name.as_posix() for name in names if name.parts[0] not in EXTENDED)
