"""Where data sets and the cache lie on this machine: bound by name, outside every configuration and id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from raysl.errors import DataError

ROOT_VARIABLE = "RAYSL_ROOT_"
CACHE_VARIABLE = "RAYSL_CACHE"
CONFIG_VARIABLE = "RAYSL_CONFIG_HOME"
NOTHING: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True)
class Places:
    """Folders of data sets by name, and the cache.

    Attributes:
        roots: data set to its folder; absolute paths, so that a worker in another folder finds them.
        cache: manifests, decoded frames and the files of data sets that make their own; node-local disk.
        cache_gigabytes: most that decoded frames may take, in 10^9 bytes; 0: nothing is cached.
    """

    roots: dict[str, Path]
    cache: Path
    cache_gigabytes: float = 20.0

    @classmethod
    def find(
        cls, given: Mapping[str, Path] = NOTHING, cache: Path | None = None, cache_gigabytes: float = 20.0
    ) -> Places:
        """Merges what was given (``--root NAME=PATH``) over the environment over the user's ``roots.yaml``.

        Raises:
            DataError: ``roots.yaml`` is not a mapping of names to folders.
        """
        roots = _from_file(_user_file()) | _from_environment() | {_key(name): path for name, path in given.items()}
        cache = cache or Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "raysl")
        return cls({name: _absolute(path) for name, path in roots.items()}, _absolute(cache), cache_gigabytes)

    def root(self, name: str, needs_root: bool) -> Path:
        """The folder of a data set; below the cache for one that makes its own files and was given none.

        Raises:
            DataError: it needs a folder and none was given.
        """
        found = bound(self.roots, name)
        if found is not None:
            return found
        if not needs_root:
            return self.cache / "data" / name
        raise DataError(
            f"no root was given for the data set {name!r}: pass --root {name}=PATH, or set "
            f"{ROOT_VARIABLE}{_key(name).upper()}=PATH, or write '{name}: PATH' into {_user_file()}"
        )


def bound(roots: Mapping[str, Path], name: str) -> Path | None:
    """What a name is bound to; case, dots and dashes do not matter."""
    return {_key(key): path for key, path in roots.items()}.get(_key(name))


def _key(name: str) -> str:
    # An environment variable holds neither case nor dots.
    return name.lower().replace(".", "_").replace("-", "_")


def _absolute(path: Path) -> Path:
    return Path(path).expanduser().absolute()


def _user_file() -> Path:
    folder = os.environ.get(CONFIG_VARIABLE)
    return (_absolute(Path(folder)) if folder else Path.home() / ".config" / "raysl") / "roots.yaml"


def _from_environment() -> dict[str, Path]:
    return {
        _key(variable.removeprefix(ROOT_VARIABLE)): Path(value)
        for variable, value in os.environ.items()
        if variable.startswith(ROOT_VARIABLE) and variable != ROOT_VARIABLE and value
    }


def _from_file(file: Path) -> dict[str, Path]:
    if not file.is_file():
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(path, str) for name, path in content.items()
    ):
        raise DataError(f"{file}: expected one line 'NAME: PATH' for each data set")
    # Paths in the file are relative to it, as they are read from any working folder.
    return {_key(name): file.parent / Path(path).expanduser() for name, path in content.items()}
