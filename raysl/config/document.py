"""Studies and recipes as files: `base:` extension, and where scales and bases are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from raysl.config.cell import CellConfig
from raysl.config.load import check_written
from raysl.config.shipped import shipped_folder
from raysl.config.suggest import nearest
from raysl.config.tree import expand, merge
from raysl.config.yaml_reader import Origin, Tree, parse_override, read_tree
from raysl.errors import ConfigError

CELL_KEYS = tuple(CellConfig.model_fields)
SHARED_KEYS = ("base", "evaluation", "datasets")
STUDY_KEYS = (
    "title", "reproduces", "published", "design", "rows", "axes", "parts", "core", "search", "baseline", "seeds",
    "evaluations", "columns", "reference", "trivial", "figures", "scales",
)  # fmt: skip
VALID_KEYS = (*CELL_KEYS, *SHARED_KEYS, *STUDY_KEYS)


def _folders(start: Path) -> Iterator[Path]:
    """The folder of ``start``'s file, those above it, and that of raysl's own studies."""
    shipped = shipped_folder()
    yield from dict.fromkeys([start.parent, *start.resolve().parents, *([] if shipped is None else [shipped])])


def _find(name: str, start: Path, folder: str = "") -> Path | None:
    """``name`` (with or without suffix) next to ``start``'s file, in a folder above it, or among raysl's own files."""
    for directory in _folders(start):
        for candidate in (directory / folder / name, directory / folder / f"{name}.yaml"):
            if candidate.is_file():
                return candidate
    return None


def find_base(name: str, start: Path) -> Path | None:
    """The file that ``base: NAME`` means in the file ``start``."""
    return _find(name, start)


def base_names(name: str, start: Path) -> list[str]:
    """What could have been written instead of ``name``: the files in the folders that were searched, and recipes."""
    inner, found = Path(name).parent, list[str]()
    for folder in dict.fromkeys((inner, Path("recipes"))):
        files = [file for directory in _folders(start) for file in (directory / folder).glob("*.yaml")]
        found += [(folder / file.stem).as_posix() for file in files if file.resolve() != start.resolve()]
    return found


def load_document(path: Path, _open: tuple[Path, ...] = ()) -> Tree:
    """A study or recipe with all that it extends.

    Every file is checked together with what it extends, including options that another file replaces later.

    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of bounds, an unknown component; a base that does
            not exist, a cycle of bases.
    """
    if path.resolve() in _open:
        chain = " -> ".join(opened.name for opened in (*_open, path.resolve()))
        raise ConfigError(f"{path}: base: the bases extend one another in a circle: {chain}")
    tree = read_tree(path)
    expanded = expand(tree.data, tree.origins)
    expanded.origins.setdefault((), Origin(str(path)))
    for key in expanded.data:
        if key not in VALID_KEYS:
            raise expanded.error((key,), f"unknown key{nearest(key, VALID_KEYS)}")
    bases = expanded.data.pop("base", [])
    result = Tree({}, {(): Origin(str(path))})
    for base in [bases] if isinstance(bases, str) else bases:
        found = find_base(str(base), path)
        if found is None:
            near = nearest(str(base), base_names(str(base), path))
            where = "beside this file or above it, or in raysl"
            raise expanded.error(("base",), f"there is no {base} or {base}.yaml {where}{near}")
        result = merge(result, load_document(found, (*_open, path.resolve())))
    result = merge(result, expanded)
    result.origins[()] = Origin(str(path))
    check_written(result)
    return result


def find_scale(name: str, study: Path) -> Path | None:
    """The file of a named scale: ``scales/NAME.yaml`` beside the study, above it or in raysl, or a path to a file."""
    given = Path(name)
    if given.suffix in (".yaml", ".yml"):
        return given if given.is_file() else None
    return _find(name, study, "scales")


def known_scales(study: Path) -> list[str]:
    """The names of the scales whose files are found from a study."""
    return sorted({file.stem for directory in _folders(study) for file in (directory / "scales").glob("*.yaml")})


def overrides_tree(overrides: list[str]) -> Tree:
    """``["training.epochs=2"]`` from ``--set`` as a tree.

    Raises:
        ConfigError: without ``=``, not a YAML value, or a key that is given twice.
    """
    result, values = Tree({}, {(): Origin("--set")}), dict[str, str]()
    for override in overrides:
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ConfigError(f"--set {override}: write --set section.key=value")
        if key in values:
            raise ConfigError(f"--set {key} is given twice, as {values[key]} and {text}; keep one")
        values[key] = text
        given = parse_override(key, text)
        result = merge(result, expand(given.data, given.origins))
    return result
