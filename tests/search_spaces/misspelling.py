"""Misspells one word of a shipped study, recipe or scale: a key, or a value that is a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from raysl.config.parts import CONFIGURATION
from raysl.planning.read_axes import AxisOptions
from tests.search_spaces.shipped import SEARCH_SPACES

NAMED = (
    "name",
    "framework",
    "protocol",
    "design",
    "baseline",
    "base",
    "reproduces",
    "data",
    "law",
    "init",
    "precision",
)
"""Keys whose value is a name of which there are only some."""

AXIS_KEYS = (*AxisOptions.model_fields, "sizes")
"""What may be said of an axis; other keys are names of its values."""

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Word:
    """A word of a file.

    Attributes:
        path: keys to it; a value's end with its own key.
        start, end: its place in the file's text, without quotes.
        line: from 1.
        is_key: False: the value of a key.
    """

    file: Path
    path: Keys
    start: int
    end: int
    line: int
    is_key: bool

    @property
    def is_definition(self) -> bool:
        """A name that the study gives itself: another spelling is another name, which something else then misses."""
        if not self.is_key:
            return False
        design = self.path[:1] == ("axes",) and self.path[2:] in {("subsets",), ("sizes",)}
        return self.path[-2:-1] == ("datasets",) or self.path[:-1] == ("evaluation",) or design

    @property
    def is_free(self) -> bool:
        """A name that nothing has to refer to: of a row, a part, an axis or a value of one; what a merge takes."""
        if not self.is_key:
            return False
        *around, name = self.path
        if around in (["axes"], ["parts"]):
            return "." not in name and name not in CONFIGURATION
        if around[:1] == ["axes"] and len(around) == 2:
            return name not in AXIS_KEYS
        if around[:1] == ["axes"] and around[2:] == ["subsets"]:
            return around[1] not in CONFIGURATION and "." not in around[1]
        return around == ["rows"] or around[-1:] == ["choice"] or name == "<<"

    def misspelt(self, text: str, generator: np.random.Generator) -> tuple[str, str]:
        """The file's text with one letter of the word dropped, doubled, replaced, or swapped with its neighbour.

        Returns:
            The text, and the word in it.
        """
        word = text[self.start : self.end]
        letters = [match.start() for match in re.finditer("[A-Za-z]", word)]
        at = int(generator.choice(letters))
        new = word
        while new == word:
            kind = int(generator.integers(4))
            letter = "abcdefghijklmnopqrstuvwxyz"[int(generator.integers(26))]
            swapped = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
            dropped = word[:at] + word[at + 1 :]
            new = [
                dropped if re.search("[A-Za-z]", dropped) else word,
                word[: at + 1] + word[at:],
                word[:at] + letter + word[at + 1 :],
                swapped,
            ][kind]
        return text[: self.start] + new + text[self.end :], new


def words(file: Path) -> Iterator[Word]:
    """Every key of a file with a letter in it, and every value that is a name."""
    seen: set[int] = set()

    def walk(node: yaml.Node, path: Keys) -> Iterator[Word]:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                if isinstance(item, yaml.ScalarNode) and path in {("evaluations",), ("columns",), ("base",)}:
                    yield from word(item, (*path, str(position)), False)
                yield from walk(item, (*path, str(position)))
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            here = (*path, str(key.value))
            yield from word(key, here, True)
            named = here[-1].rpartition(".")[2] in NAMED or path in {("published", "columns"), ("substitute",)}
            if isinstance(value, yaml.ScalarNode) and named and path[:1] not in {("reference",), ("published", "rows")}:
                yield from word(value, here, False)
            yield from walk(value, here)

    def word(node: yaml.ScalarNode, path: Keys, is_key: bool) -> Iterator[Word]:
        quoted = 1 if node.style in ("'", '"') else 0
        start, end = node.start_mark.index + quoted, node.end_mark.index - quoted
        if re.search("[A-Za-z]", node.value) and node.tag.endswith(":str"):
            yield Word(file, path, start, end, node.start_mark.line + 1, is_key)

    text = file.read_text(encoding="utf-8")
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    assert document is not None
    yield from walk(document, ())


def all_words() -> list[Word]:
    """Those of every shipped file."""
    return [word for file in sorted(SEARCH_SPACES.rglob("*.yaml")) for word in words(file) if not word.is_free]
