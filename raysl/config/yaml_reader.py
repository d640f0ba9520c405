"""YAML as a researcher means it: numbers as in YAML 1.2, keys as written, with the line of every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from raysl.errors import ConfigError

if TYPE_CHECKING or yaml.__with_libyaml__:
    from yaml import CSafeLoader
else:
    from yaml import SafeLoader as CSafeLoader

KeyPath = tuple[str, ...]
TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a file and line (1-based), or something without lines such as ``--set``.

    Attributes:
        text: the characters of a value that is one word or number; ``0.10`` is read as 0.1.
    """

    file: str
    line: int | None = None
    text: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass
class Tree:
    """Nested mappings from YAML, and where each key and each item of a list was written.

    Attributes:
        origins: in the order of merging, so that the last of several keys is the one that overrides: base, study,
            scale, row, ``--set``.
    """

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

    def misfit(self, path: KeyPath, message: str) -> ConfigError:
        """An error about a combination of keys, with file and line of the key that was merged last.

        Args:
            path: the section with the error.
            message: names the keys, relative to ``path`` or to a section around it, or in full.
        """
        named = set()
        for word in re.findall(r"[A-Za-z_]\w*(?:\.\w+)*", message):
            inner = tuple(word.split("."))
            named |= {path[:end] + inner for end in range(len(path) + 1)}
        written = [known for known in self.origins if known in named]
        # `objective.global_local: {}` says as much as a value does.
        leaves = [known for known in written if not isinstance(found := _at(self.data, known), Mapping) or not found]
        candidates = leaves or written or [path]
        typed = [known for known in candidates if known in self.origins and self.origins[known].file == "--set"]
        where, key = self.where((typed or candidates)[-1]), ".".join(path)
        shown = "" if not key or message.startswith(key) else f"{key}: "
        return ConfigError(f"{'' if where is None else f'{where}: '}{shown}{message}")

    def text(self, path: KeyPath, value: Any) -> Any:
        """A name that YAML reads as a number, true or null, in the form in which it was written: ``baseline: 0.10``."""
        origin = self.origins.get(path)
        plain = isinstance(value, bool | int | float) or value is None
        return origin.text if plain and origin is not None and origin.text is not None else value


def copied(data: Any) -> Any:
    """A copy of mappings and lists; other values from YAML are immutable."""
    if isinstance(data, dict):
        return {key: copied(value) for key, value in data.items()}
    return [copied(value) for value in data] if isinstance(data, list) else data


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


class _Loader(yaml.SafeLoader):
    """The YAML 1.2 core schema: ``1e-6`` is a number; ``yes``, ``on``, ``1:30``, a date are text."""


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
    _Loader.add_implicit_resolver(f"{TAG}{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _construct_int(loader: yaml.SafeLoader, node: yaml.Node) -> int:
    text = str(node.value)
    return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o") else int(text)


_Loader.add_constructor(f"{TAG}int", _construct_int)


class _Parser(CSafeLoader):
    """Composes the same as `_Loader`, ten times as fast."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Parser)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=_Loader)  # its messages are better


TAGS = {f"{TAG}{name}" for name in ("str", "bool", "null", "int", "float", "seq", "map")}


MOST_VALUES = 1_000_000
"""Limit for one file: aliases of aliases can multiply values without bound."""


@dataclass
class _Reader:
    """From YAML's nodes to values with text keys, and to the origin of each key.

    Attributes:
        origins: filled while nodes are read.
    """

    loader: Any
    file: str
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    _open: list[yaml.Node] = field(default_factory=list)

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        if node.tag not in TAGS:
            raise self.error(node, path, f"the tag {node.tag} is not supported: remove it")
        if len(self.origins) > MOST_VALUES:
            raise self.error(node, path, f"more than {MOST_VALUES} values: write less, or repeat aliases less often")
        if isinstance(node, yaml.ScalarNode):
            try:
                return self.loader.construct_object(node)
            except ValueError as error:
                raise self.error(node, path, "a number of thousands of digits cannot be read") from error
        if any(node is one for one in self._open):
            raise self.error(node, path, "an alias (*name) is inside of what it refers to")
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self._item(item, (*path, str(index))) for index, item in enumerate(node.value)]
        finally:
            self._open.pop()

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.origins[path] = self._origin(node, node)
        return self.value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        """Keys are read as text; one that is written twice is refused. ``<<: *name`` comes before other keys."""
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{TAG}merge":
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in reversed(sources):
                    if not isinstance(source, yaml.MappingNode):
                        raise self.error(key_node, (*path, "<<"), "only mappings can be merged")
                    result |= self.value(source, path)
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = self._key(key_node, path), key_node.start_mark.line + 1
            if key in lines:
                raise self.error(key_node, (*path, key), f"this key is written twice (first on line {lines[key]})")
            lines[key] = line
            if key_node.tag == f"{TAG}merge":
                continue
            if key in result:
                below = [known for known in self.origins if known[: len(path) + 1] == (*path, key)]
                for known in below:
                    del self.origins[known]
            self.origins[*path, key] = self._origin(key_node, value_node)
            result[key] = self.value(value_node, (*path, key))
        return result

    def _key(self, node: yaml.Node, path: KeyPath) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node, path, "a list or a mapping cannot be a key: put it in quotes")
        if not node.value:
            raise self.error(node, path, "a key is empty: write one before the colon")
        return str(node.value)

    def _origin(self, at: yaml.Node, value: yaml.Node) -> Origin:
        text = str(value.value) if isinstance(value, yaml.ScalarNode) else None
        return Origin(self.file, at.start_mark.line + 1, text)

    def error(self, node: yaml.Node, path: KeyPath, message: str) -> ConfigError:
        key = ".".join(path)
        return ConfigError(f"{self.file}:{node.start_mark.line + 1}: {f'{key}: ' if key else ''}{message}")


def read_tree(path: Path, shown: str | None = None) -> Tree:
    """Reads one YAML file.

    Args:
        path: the file.
        shown: its name in messages; None: the path.

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
    tree = _parsed(text, file)
    return Tree(copied(tree.data), dict(tree.origins))


@lru_cache(maxsize=256)
def _parsed(text: str, file: str) -> Tree:
    """A cache: all studies of a folder extend a few recipes, and parsing one takes as long as resolving its rows."""
    reader, data = _parse(text, file)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: a mapping of keys is expected, not a {type(data).__name__}")
    return Tree(data, {(): Origin(file), **reader.origins})


def parse_value(text: str) -> Any:
    """One value as YAML reads it: ``--set training.epochs=2`` gives the number 2."""
    return _parse(text, "--set")[1]


def parse_override(key: str, text: str) -> Tree:
    """A key and value of ``--set``, with that as the origin of the value and all in it."""
    reader, value = _parse(text, "--set")
    inner = {(key, *path): Origin("--set", text=origin.text) for path, origin in reader.origins.items()}
    return Tree({key: value}, {(): Origin("--set"), (key,): Origin("--set", text=text.strip()), **inner})


def _parse(text: str, file: str) -> tuple[_Reader, Any]:
    try:
        reader = _Reader(_Loader(""), file)
        node = _composed(text)
        return reader, None if node is None else reader.value(node, ())
    except RecursionError as error:
        raise ConfigError(f"{file}: lists or mappings are nested hundreds deep") from error
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigError(f"{_where(file, text, error)}: not valid YAML: {problem}{_hint(text, error)}") from error


def _where(file: str, text: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None or file == "--set":
        return file
    return f"{file}:{min(mark.line + 1, max(len(text.splitlines()), 1))}"


def _hint(text: str, error: yaml.YAMLError) -> str:
    """What to do about the most frequent errors, in words that need no knowledge of YAML's grammar."""
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "; the line begins with a tab: indent with spaces"
    began = f", in what begins on line {context.line + 1}" if context is not None else ""
    if line:
        return f" ({line.strip()!r}{began}): check its indentation and brackets, and quote text that holds ': ' or ' #'"
    return f"{began}: check that every bracket and quote is closed"
