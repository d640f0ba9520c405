"""Scales: they change the cost of a study, not its science."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from raysl.config.component import find, names
from raysl.config.document import find_scale, known_scales
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.parts import CONFIGURATION, SCALE, refusal
from raysl.config.resolve import resolve
from raysl.config.sections import Seed
from raysl.config.suggest import nearest, suggestion
from raysl.config.tree import expand, get, merge, place, put
from raysl.config.yaml_reader import KeyPath, Origin, Tree, read_tree
from raysl.errors import ConfigError


class Factor(Options):
    """How a number follows the scale."""

    by: float = option(doc="what the number is multiplied by", unit=NO_UNIT, source="per scale", ge=0, le=1e6)
    min: float | None = option(None, doc="least value of the product", unit=NO_UNIT, source="per scale", ge=0, le=1e9)
    multiple_of: int = option(
        1, doc="whole numbers are rounded to a multiple of this", unit=NO_UNIT, source="per scale", ge=1, le=2**20
    )

    def apply(self, value: int | float) -> int | float:
        """The scaled value; whole numbers stay whole, and zero, which switches something off, stays zero."""
        if value == 0:
            return value
        scaled = value * self.by if self.min is None else max(value * self.by, self.min)
        if isinstance(value, int):
            return max(round(scaled / self.multiple_of), 1 if self.by else 0) * self.multiple_of
        return scaled


class Scale(Options):
    """The sections of a scale file: `set` applies to the base before rows, `multiply` and `substitute` after them."""

    title: str = option("", doc="purpose of the scale", source="per scale")
    seeds: tuple[Seed, ...] | None = option(
        None, doc="seeds instead of the study's", unit=NO_UNIT, source="per scale", min_length=1
    )
    trials: int | None = option(
        None, doc="trials of a search instead of the study's", unit="trials", source="per scale", ge=1, le=10**6
    )
    set: dict[str, Any] = option({}, doc="dotted key to absolute value", source="per scale")
    multiply: dict[str, Any] = option({}, doc="dotted key to {by, min, multiple_of}", source="per scale")
    substitute: dict[str, str] = option({}, doc="data set to data set, distinct to distinct", source="per scale")
    datasets: dict[str, Any] = option(
        {}, doc="names for data sets with their options, as a study's; the study's own win", source="per scale"
    )
    _written: Tree = PrivateAttr(default_factory=lambda: Tree({}, {(): Origin("scale")}))

    @classmethod
    def read(cls, tree: Tree) -> Scale:
        """The scale of a file, or of a study's ``scales: {NAME: ...}``.

        Raises:
            ConfigError: naming file, line and key.
        """
        if not isinstance(tree.data.get("multiply", {}), Mapping):
            raise tree.error(("multiply",), "a mapping from keys to factors is expected")
        written = Tree({**tree.data}, dict(tree.origins))
        flat = dict(_factors(tree.data.get("multiply", {})))
        for path in flat:
            moved = [known for known in tree.origins if known[: len(path) + 1] == ("multiply", *path)]
            for known in moved:
                written.origins["multiply", ".".join(path), *known[len(path) + 1 :]] = tree.origins[known]
        if flat:
            written.data["multiply"] = {".".join(path): value for path, value in flat.items()}
        scale = resolve(cls, written)
        scale._written = written
        if len(set(scale.seeds or ())) != len(scale.seeds or ()):
            raise written.error(("seeds",), f"a seed is given twice: {list(scale.seeds or ())}")
        scale.factors()
        return scale

    def factors(self) -> dict[str, Factor]:
        tree = self._written
        return {key: resolve(Factor, tree, ("multiply", key), data=value) for key, value in self.multiply.items()}

    def laid(self) -> Tree:
        """The keys to apply to the base, with where each was written."""
        origins = {path[1:]: origin for path, origin in self._written.origins.items() if path[:1] == ("set",)}
        return expand(self.set, origins, part=CONFIGURATION)

    def data_sets(self) -> Tree:
        """The names that it gives to data sets, with where each was written."""
        origins = {path: origin for path, origin in self._written.origins.items() if path[:1] == ("datasets",)}
        return Tree({"datasets": dict(self.datasets)}, origins)

    def origin(self, key: str) -> Origin | None:
        """Where the factor of a key was written."""
        return self._written.where(("multiply", key))

    def error(self, path: KeyPath, message: str) -> ConfigError:
        """An error that names file, line and key of this scale."""
        return self._written.error(path, message)

    def for_alias(self, protocol: str, alias: str) -> Scale:
        """The factors of a protocol's second name: those of the protocol, replaced by its own."""
        ours, own = f"evaluation.{protocol}.", f"evaluation.{alias}."
        renamed = {own + key.removeprefix(ours): key for key in self.multiply if key.startswith(ours)}
        keys = {**renamed, **{key: key for key in self.multiply if key.startswith(own)}}
        result = Scale(multiply={key: self.multiply[written] for key, written in keys.items()})
        for key, written in keys.items():
            result._written.origins["multiply", key] = self.origin(written) or Origin("scale")
        return result


def _factors(data: Mapping[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Each factor by its key, however deep it is nested."""
    for key, value in data.items():
        if isinstance(value, Mapping) and value and all(isinstance(inner, Mapping) for inner in value.values()):
            yield from _factors(value, (*at, key))
        else:
            yield (*at, key), value


AS_WRITTEN = Scale()

LENGTHS = {
    "training.epochs": ("schedule.warmup_epochs", "schedule.milestones"),
    "training.steps": ("schedule.warmup_steps",),
}
"""How long a cell trains, and what of its schedule is counted in the same unit."""


def load_scale(name: str | None, study: Path, own: Mapping[str, Any], document: Tree) -> Scale:
    """The named scale, changed by the study's own ``scales: {NAME: ...}``; for ``paper``, without any.

    Raises:
        ConfigError: no such scale; an unknown key or data set; two data sets that become one.
    """
    if name is None or (name == "paper" and "paper" not in own and find_scale(name, study) is None):
        return AS_WRITTEN
    file = find_scale(name, study)
    if file is None and name not in own:
        known = sorted({*known_scales(study), *own, "paper"})
        raise ConfigError(
            f"--scale {name}: there is no such scale{suggestion(name, known)}; those found: {', '.join(known)}"
        )
    tree = Tree({}, {(): Origin(str(study))})
    if file is not None:
        read = read_tree(file)
        tree = expand(read.data, read.origins, part=SCALE)
    if name in own:
        tree = merge(tree, expand(own[name], document.origins, ("scales", name), SCALE), SCALE)
    scale = Scale.read(tree)
    check_scale(scale, document)
    return scale


def check_scale(scale: Scale, document: Tree) -> None:
    """Refuses factors of keys that no configuration has, and data sets that do not exist.

    Args:
        document: the study, whose ``datasets`` and second names of protocols a scale may use.

    Raises:
        ConfigError: naming file, line and key.
    """
    laid, aliases = scale.laid(), aliases_of(document)
    for key in laid.data:
        if key not in CONFIGURATION:
            raise laid.error((key,), f"unknown key{nearest(key, CONFIGURATION)}")
    for key in scale.multiply:
        reason = refusal(tuple(key.split(".")), [document.data, scale.set], aliases, number=True)
        if reason is not None:
            raise scale.error(("multiply", key), reason)
    known = {*names("data set"), *scale.datasets, *(document.data.get("datasets") or {})}
    targets = list(scale.substitute.values())
    for source, target in scale.substitute.items():
        for data_set in (source, target):
            _known_data_set(data_set, known, scale, ("substitute", source))
        if targets.count(target) > 1:
            raise scale.error(
                ("substitute",), f"two data sets become {target!r}: rows that differ by them would be equal"
            )


def _known_data_set(data_set: str, known: Iterable[str], scale: Scale, at: KeyPath) -> None:
    name = data_set.partition("/")[0]
    if data_set in known or name in known:
        return
    try:
        find("data set", name)
    except ConfigError as error:
        raise scale.error(at, f"there is no data set {data_set!r}{nearest(name, known)}") from error


def aliases_of(document: Tree) -> dict[str, str]:
    """Second names of protocols: ``evaluation: {few_labels: {protocol: finetune, ...}}``."""
    evaluation = document.data.get("evaluation")
    found = evaluation.items() if isinstance(evaluation, Mapping) else ()
    named = {name: options.get("protocol") for name, options in found if isinstance(options, Mapping)}
    return {name: protocol for name, protocol in named.items() if isinstance(protocol, str) and protocol != name}


def substitute_name(name: str, scale: Scale) -> str:
    """The data set that replaces ``name`` (``kinetics400`` or ``ucf101/1``) at this scale."""
    return scale.substitute.get(name, scale.substitute.get(name.partition("/")[0], name))


def multiply(data: dict[str, Any], scale: Scale, origins: dict[KeyPath, Origin] | None = None) -> None:
    """Applies the scale's factors to resolved values, in place, and to each number of a list (milestones).

    An absent, null or named value (``batch_norm_group: batch``) stays as it is. A warm-up or first milestone that the
    shortened training would not reach the end of is shortened with it, where the scale has no factor for it: no cell
    could be trained as it stands, and every study is to run at every scale.

    Args:
        origins: of ``data``; a value that changes is then the scale's.

    Raises:
        ConfigError: the key holds no number.
    """
    factors = scale.factors()
    lengths = {key: get(data, place(data, key)) for key in LENGTHS if key in factors}
    for key, factor in factors.items():
        try:
            _apply(data, key, factor, scale.origin(key), origins)
        except ValueError as error:
            raise scale.error(("multiply", key), str(error)) from error
    for length, before in lengths.items():
        after = get(data, place(data, length))
        for key in LENGTHS[length] if before and after < before else ():
            value = get(data, place(data, key))
            first = value[0] if isinstance(value, list) and value else value
            if key not in factors and isinstance(first, int | float) and first >= after:
                _apply(data, key, Factor(by=after / before), scale.origin(length), origins)


def _apply(
    data: dict[str, Any], key: str, factor: Factor, written: Origin | None, origins: dict[KeyPath, Origin] | None
) -> None:
    """One factor, which is ``written`` somewhere; ValueError where the key holds no number."""
    path = place(data, key)
    value = get(data, path)
    if value is None or isinstance(value, str):
        return
    numbers = value if isinstance(value, list) else [value]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise ValueError(f"holds {value!r}, which is no number")
    scaled = [factor.apply(number) for number in numbers]
    put(data, path, scaled if isinstance(value, list) else scaled[0])
    if origins is not None and written is not None and scaled != numbers:
        origins.pop(path, None)
        origins[path] = written
