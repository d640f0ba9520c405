"""Where data sets and the cache are on this machine: bound by name, outside every configuration and id."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml

from raysl.config.component import Chosen
from raysl.data.catalog import CatalogReader
from raysl.data.fetch import Progress, fetch, is_address, is_fetched, listing, mirror, shown_address
from raysl.errors import DataError

ROOT_VARIABLE = "RAYSL_ROOT_"
CACHE_VARIABLE = "RAYSL_CACHE"
CONFIG_VARIABLE = "RAYSL_CONFIG_HOME"
LISTS = "-lists"
"""Suffix of a data set's name in the name of the folder of its lists."""
NOTHING: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True)
class Places:
    """Folders of data sets by name, and the cache.

    Attributes:
        roots: from name to folder (weights: to file); absolute paths, so that a worker in another folder finds them.
        cache: manifests, decoded frames and the files of data sets that make their own; node-local disk.
        cache_gigabytes: largest size of decoded frames, in 10^9 bytes; 0: nothing is cached.
        given: the names among ``roots`` that came from the command line, as typed.
        addresses: of the roots that are copies of buckets, by name; the copies are in the cache.
        fetch_gigabytes: largest size of one such copy, in 10^9 bytes.
    """

    roots: dict[str, Path]
    cache: Path
    cache_gigabytes: float = 20.0
    given: tuple[str, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)
    fetch_gigabytes: float = 200.0

    @classmethod
    def find(
        cls, given: Mapping[str, str | Path] = NOTHING, cache: Path | None = None, cache_gigabytes: float | None = None
    ) -> Places:
        """Merges ``--root NAME=PATH`` over the environment over the user's ``roots.yaml``.

        ``RAYSL_CACHE_GIGABYTES`` and ``RAYSL_FETCH_GIGABYTES`` set how much disk may be used; ``cache_gigabytes`` goes
        over the first.

        Raises:
            DataError: ``roots.yaml`` is not a mapping of names to folders; two names in it, or two from the command
                line, differ only in what `root_key` ignores; a name that is not valid UTF-8; a size that is no number.
        """
        by_key = _by_key(given, "--root")
        roots = _from_file(_user_file()) | _from_environment() | by_key
        named = os.environ.get(CACHE_VARIABLE)
        cache = cache or (Path(named) if named else _home() / ".cache" / "raysl")
        cache = _absolute(cache)
        addresses = {name: str(root) for name, root in roots.items() if is_address(root)}
        places = {name: mirror(addresses[name], cache) if name in addresses else root for name, root in roots.items()}
        absolute = {name: _absolute(Path(path)) for name, path in places.items()}
        budget = _gigabytes("RAYSL_CACHE_GIGABYTES", 20.0)
        if cache_gigabytes is not None:
            budget = _checked("cache_gigabytes", str(cache_gigabytes))
        return cls(absolute, cache, budget, tuple(given), addresses, _gigabytes("RAYSL_FETCH_GIGABYTES", 200.0))

    def fetch(self, data: Chosen, run: str = "", progress: Progress | None = None) -> None:
        """Copies a data set and its lists to this node if their roots are addresses.

        Args:
            run: within a run of this name, changes since they were copied are looked for once; without, each time.

        Raises:
            DataError: they cannot be copied, or are larger than the budget.
        """
        for address in self._addresses(data):
            if not run or not is_fetched(mirror(address, self.cache), run):
                fetch(address, mirror(address, self.cache), int(self.fetch_gigabytes * 1e9), progress, run)

    def listing(self, data: Chosen) -> str:
        """A hash of the contents of the addresses of a data set and its lists; empty if no root is an address.

        Raises:
            DataError: an address cannot be read.
        """
        return "-".join(listing(address) for address in self._addresses(data))

    def _addresses(self, data: Chosen) -> list[str]:
        names = (data.bound_name, data.name, f"{data.bound_name}{LISTS}", f"{data.name}{LISTS}")
        found = [self.addresses.get(key) for key in dict.fromkeys(map(root_key, names))]
        return [address for address in found if address is not None]

    def root(self, data: Chosen) -> Path:
        """The folder of a data set: the one bound to its name under ``datasets:``, or else to its reader's name.

        Without either, a data set that makes its own files is in the cache, below its reader's name: there every set of
        options has a separate folder (`CatalogReader.prepare`), and two names with equal options share one.

        Raises:
            DataError: it needs a folder and none is bound, or what is bound is none.
        """
        needs_root = data.build().needs_root
        for name in dict.fromkeys((data.bound_name, data.name)):
            found = bound(self.roots, name)
            if found is not None:
                if needs_root:
                    self._refuse_no_folder(data, name, found)
                return found
        if not needs_root:
            return self.cache / "data" / data.name
        raise DataError(self.unbound(data))

    def unbound(self, data: Chosen) -> str:
        """Why no machine with these places can read the data set; empty if one may."""
        if not data.build().needs_root or any(bound(self.roots, name) for name in (data.bound_name, data.name)):
            return ""
        name = data.bound_name
        also = "" if name == data.name else f" (or --root {data.name}=PATH, for every data set of this reader)"
        given = f"; given with --root: {', '.join(self.given)}" if self.given else ""
        return (
            f"no root was given for the data set {name!r}: pass --root {name}=PATH{also}, or set "
            f"{_variable(name)}=PATH, or write '{name}: PATH' into {_user_file()}{given}"
        )

    def reader(self, data: Chosen) -> CatalogReader:
        """The reader of a data set, with the folder of its lists if they are not below its root.

        That folder is bound to the data set's name followed by ``-lists``: ``--root ucf101-lists=PATH``.

        Raises:
            DataError: what is bound is no folder, or the data set has no lists.
        """
        reader: CatalogReader = data.build()
        for name in dict.fromkeys((data.bound_name, data.name)):
            found = bound(self.roots, f"{name}{LISTS}")
            if found is None:
                continue
            if not reader.has_lists:
                raise DataError(f"{name}{LISTS}: the data set {data.bound_name!r} has no official lists; remove it")
            self._refuse_no_folder(data, f"{name}{LISTS}", found)
            reader.lists = found
            break
        return reader

    def unused(self, names: Iterable[str]) -> list[str]:
        """The names from the command line that bind none of ``names`` nor their lists, as typed."""
        used = {root_key(name + ending) for name in names for ending in ("", LISTS)}
        return [name for name in self.given if root_key(name) not in used]

    def _refuse_no_folder(self, data: Chosen, name: str, found: Path) -> None:
        if root_key(name) in self.addresses and not is_fetched(found):
            raise DataError(
                f"data set {data.bound_name!r}: {shown_address(self.addresses[root_key(name)])} was not copied to this "
                "machine yet: raysl run or raysl data check copies it"
            )
        try:
            reason = None if stat.S_ISDIR(found.stat().st_mode) else "is not a folder"
        except FileNotFoundError:
            reason = "does not exist"
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        if reason is not None:
            typed = next((given for given in self.given if root_key(given) == root_key(name)), None)
            where = f"--root {typed}" if typed else f"{_variable(name)} or '{name}' in {_user_file()}"
            what = "the folder of its lists" if name.endswith(LISTS) else "its root"
            raise DataError(f"data set {data.bound_name!r}: {what} {found} {reason}; correct {where}")


def used_names(data: Iterable[Chosen]) -> set[str]:
    """The names that the roots of these data sets may be bound to."""
    return {name for chosen in data for name in (chosen.bound_name, chosen.name)}


def bound(roots: Mapping[str, Path], name: str) -> Path | None:
    """The path that a name is bound to; see `root_key`."""
    return {root_key(key): path for key, path in roots.items()}.get(root_key(name))


def root_key(name: str) -> str:
    """The form of a name for comparison: an environment variable has neither case nor dots, dashes and blanks."""
    return re.sub(r"\W", "_", name.lower())


def _variable(name: str) -> str:
    return f"{ROOT_VARIABLE}{root_key(name).upper()}"


def _gigabytes(variable: str, default: float) -> float:
    return _checked(variable, os.environ.get(variable) or str(default))


def _checked(name: str, text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 <= size < 1e7:
        raise DataError(f"{name}={text}: give a number of gigabytes")
    return size


def _by_key(paths: Mapping[str, str | Path], source: str) -> dict[str, str | Path]:
    written: dict[str, str] = {}
    for name in paths:
        twin = written.setdefault(root_key(name), name)
        if twin != name:
            raise DataError(f"{source}: {twin!r} and {name!r} are one name (case, dots and dashes do not matter)")
    return {root_key(name): path for name, path in paths.items()}


def _absolute(path: Path) -> Path:
    """The absolute path.

    Raises:
        DataError: decoders cannot open a file of that name.
    """
    absolute = Path(path).expanduser().absolute()
    try:
        str(absolute).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{absolute}: the name is not valid UTF-8; rename it, or give a link of another name"
        ) from error
    return absolute


def _user_file() -> Path:
    folder = os.environ.get(CONFIG_VARIABLE)
    if folder:
        return _absolute(Path(folder)) / "roots.yaml"
    with suppress(DataError):
        return _home() / ".config" / "raysl" / "roots.yaml"
    return Path("~/.config/raysl/roots.yaml")  # the home of no user, so that there is none


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise DataError(
            f"this user has no home folder: set HOME, or give --cache or {CACHE_VARIABLE} a folder"
        ) from error


def _from_environment() -> dict[str, str | Path]:
    return {
        root_key(variable.removeprefix(ROOT_VARIABLE)): value
        for variable, value in os.environ.items()
        if variable.startswith(ROOT_VARIABLE) and variable != ROOT_VARIABLE and value
    }


def _from_file(file: Path) -> dict[str, str | Path]:
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
    # Paths in the file are relative to it, since it is read from any working folder.
    roots = {
        name: path if is_address(path) else file.parent / Path(path).expanduser() for name, path in content.items()
    }
    return _by_key(roots, str(file))
