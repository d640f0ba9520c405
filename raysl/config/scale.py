"""Scales: what changes the cost of a study and not the science."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raysl.config.document import find_scale
from raysl.config.options import Options, option
from raysl.config.resolve import resolve
from raysl.config.tree import expand, get, merge, place, put
from raysl.config.yaml_reader import Origin, Tree, read_tree
from raysl.errors import ConfigError


class Factor(Options):
    """How a number follows the scale."""

    by: float = option(doc="factor", source="per scale", ge=0)
    min: float | None = option(None, doc="smallest value", source="per scale")
    multiple_of: int = option(1, doc="whole numbers are rounded to a multiple of this", source="per scale", ge=1)

    def apply(self, value: int | float) -> int | float:
        """The scaled value; whole numbers stay whole, and a zero, which switches something off, stays zero."""
        if value == 0:
            return value
        scaled = value * self.by if self.min is None else max(value * self.by, self.min)
        if isinstance(value, int):
            return max(round(scaled / self.multiple_of), 1 if self.by else 0) * self.multiple_of
        return scaled


class Scale(Options):
    """The lists of a scale file: `set` is laid on the base before rows, `multiply` and `substitute` after them."""

    title: str = option("", doc="what the scale is for", source="per scale")
    seeds: tuple[int, ...] | None = option(None, doc="seeds in place of the study's", source="per scale", min_length=1)
    trials: int | None = option(None, doc="trials of a search in place of the study's", source="per scale", ge=1)
    set: dict[str, Any] = option({}, doc="dotted key to absolute value", source="per scale")
    multiply: dict[str, Any] = option({}, doc="dotted key to {by, min, multiple_of}", source="per scale")
    substitute: dict[str, str] = option({}, doc="data set to data set, distinct to distinct", source="per scale")
    datasets: dict[str, Any] = option(
        {}, doc="names for data sets with their options, as a study's; the study's own win", source="per scale"
    )

    def factors(self) -> dict[str, Factor]:
        tree = Tree({"multiply": self.multiply}, {(): Origin("scale")})
        return {key: resolve(Factor, tree, ("multiply", key), data=value) for key, value in self.multiply.items()}


AS_WRITTEN = Scale()


def load_scale(name: str | None, study: Path, own: Mapping[str, Any], document: Tree) -> Scale:
    """The named scale with what the study's own ``scales: {NAME: ...}`` lays over it; as written for ``paper``.

    Raises:
        ConfigError: no such scale; an unknown key; two data sets that become one.
    """
    if name is None or (name == "paper" and "paper" not in own and find_scale(name, study) is None):
        return AS_WRITTEN
    file = find_scale(name, study)
    if file is None and name not in own:
        raise ConfigError(f"--scale {name}: there is no scales/{name}.yaml beside {study} or above it")
    tree = read_tree(file) if file is not None else Tree({}, {(): Origin(str(study))})
    if name in own:
        tree = merge(tree, expand(own[name], document.origins, ("scales", name)))
    scale = resolve(Scale, tree)
    targets = list(scale.substitute.values())
    for target in targets:
        if targets.count(target) > 1:
            raise tree.error(
                ("substitute",), f"two data sets become {target!r}: rows that differ by them would be equal"
            )
    scale.factors()
    return scale


def substitute_name(name: str, scale: Scale) -> str:
    """The data set that stands for ``name`` (``kinetics400`` or ``ucf101/1``) at this scale."""
    return scale.substitute.get(name, scale.substitute.get(name.partition("/")[0], name))


def multiply(data: dict[str, Any], scale: Scale) -> None:
    """Applies the scale's factors to resolved values, in place, and to each number of a list (milestones).

    An absent, null or named value (``batch_norm_group: batch``) stays as it is.

    Raises:
        ConfigError: the key holds no number.
    """
    for key, factor in scale.factors().items():
        path = place(data, key)
        value = get(data, path)
        if value is None or isinstance(value, str):
            continue
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
            raise ConfigError(f"scale: multiply: {key}: holds {value!r}, which is no number")
        scaled = [factor.apply(number) for number in numbers]
        put(data, path, scaled if isinstance(value, list) else scaled[0])
