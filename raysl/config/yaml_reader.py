"""YAML as a researcher means it: numbers as in YAML 1.2, duplicate keys refused, every key's line remembered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from raysl.errors import ConfigError

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a file and line (1-based), or something without lines such as ``--set``."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass
class Tree:
    """Nested mappings from YAML, and where each key was written."""

    data: dict[str, Any]
    origins: dict[KeyPath, Origin] = field(default_factory=dict)

    def where(self, path: KeyPath) -> Origin | None:
        """The origin of a key, or of the nearest mapping around it."""
        while path not in self.origins and path:
            path = path[:-1]
        return self.origins.get(path)

    def error(self, path: KeyPath, message: str) -> ConfigError:
        """An error that names file, line and key."""
        key = ".".join(path)
        parts = [str(part) for part in (self.where(path), key or None) if part is not None]
        return ConfigError(": ".join([*parts, message]))


class _Loader(yaml.SafeLoader):
    """SafeLoader with the YAML 1.2 core schema: ``1e-6`` is a number; ``yes``, ``on``, ``1:30``, a date are text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", r"<<", "<"),
]:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _construct_int(loader: yaml.SafeLoader, node: yaml.Node) -> int:
    text = str(node.value)
    return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o") else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _index(node: yaml.Node, file: str, path: KeyPath, origins: dict[KeyPath, Origin]) -> None:
    """Records the line of every key below ``node`` and refuses keys that are written twice."""
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _index(item, file, (*path, str(position)), origins)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            where = ".".join((*path, key))
            raise ConfigError(f"{file}:{line}: {where}: this key is written twice (first on line {seen[key]})")
        seen[key] = line
        origins[(*path, key)] = Origin(file, line)
        _index(value_node, file, (*path, key), origins)


def read_tree(path: Path, shown: str | None = None) -> Tree:
    """Reads one YAML file.

    Args:
        path: the file.
        shown: how messages name it; the path as given where None.

    Raises:
        ConfigError: absent, not YAML, not a mapping, or with a duplicate key.
    """
    file = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    return parse_tree(text, file)


def parse_tree(text: str, file: str) -> Tree:
    """Parses YAML text; ``file`` names it in messages."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        origins: dict[KeyPath, Origin] = {(): Origin(file)}
        if node is not None:
            _index(node, file, (), origins)
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{file}{line}: not valid YAML: {problem}") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: a mapping of keys is expected, not a {type(data).__name__}")
    return Tree(_text_keys(data, file), origins)


def _text_keys(value: Any, file: str) -> Any:
    if isinstance(value, dict):
        return {_text_key(key, file): _text_keys(item, file) for key, item in value.items()}
    if isinstance(value, list):
        return [_text_keys(item, file) for item in value]
    return value


def _text_key(key: Any, file: str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int | float) and not isinstance(key, bool):
        return str(key)
    raise ConfigError(f"{file}: the key {key!r} is read as {type(key).__name__}: put it in quotes")


def parse_value(text: str) -> Any:
    """One value as YAML reads it: ``--set training.epochs=2`` gives the number 2."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set: {text!r} is not a YAML value") from error
