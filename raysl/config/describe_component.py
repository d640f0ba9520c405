"""Components in words: what one is, its options, where a configuration chooses it, and YAML that does."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import KINDS, Component, find, names
from raysl.config.describe_option import OptionText, option_texts, yaml_text
from raysl.config.options import Options
from raysl.config.parts import parts
from raysl.config.resolve import resolve
from raysl.config.yaml_reader import Origin, Tree
from raysl.errors import ConfigError

WHAT: dict[str, str] = {
    "data set": "videos with their labels and splits, for pretraining and for evaluations",
    "pair sampler": "where in a video the two clips of the contrastive pair lie",
    "window sampler": "clips beside the pair, in a fixed arrangement, for temporal losses",
    "augmentation": "crops, flips and colours of a clip",
    "backbone": "the network that is pretrained",
    "framework": "the contrastive loss between two clips of a video",
    "temporal loss": "a loss that compares times of one video",
    "pretext task": "a question about a clip whose answer needs no label",
    "optimizer": "how a step follows from the gradient",
    "schedule": "how the learning rate changes over training",
    "protocol": "how a backbone is evaluated",
}
"""What the components of each kind are."""

SHOWN = 3
"""Options in an example, beside those that are required."""


@dataclass(frozen=True)
class ComponentText:
    """One component in words.

    Attributes:
        name: its name, or the import path of another package's module.
        path: the module's import path.
        summary: the first sentence of its docstring.
        text: the rest of it: what it is, from which paper, and what was decided.
        key: the key of a configuration that chooses it.
        version: it enters the ids of cells that use it.
        options: in their order.
        example: YAML that uses it.
        metrics: of a protocol: what it measures with the example's options, the headline first; empty where that is
            known only from results.
        notes: what else a user needs to know, a sentence each.
    """

    kind: str
    name: str
    path: str
    summary: str
    text: str
    key: str
    version: int
    options: tuple[OptionText, ...]
    example: str
    metrics: tuple[str, ...]
    notes: tuple[str, ...]


def summary(kind: str, name: str) -> str:
    """What a component that comes with raysl is, in one sentence, from its file: nothing is imported."""
    spec = importlib.util.find_spec(f"{KINDS[kind]}.{name}")
    assert spec is not None
    assert spec.origin is not None
    return split_docstring(ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or "")[0]


def split_docstring(text: str) -> tuple[str, str]:
    """The first paragraph, which is one sentence, and the rest, with code in single backquotes."""
    first, _, rest = text.replace("``", "`").partition("\n\n")
    return " ".join(first.split()), rest.strip()


def component_text(kind: str, name: str) -> ComponentText:
    """A component, which is imported.

    Raises:
        ConfigError: there is none of this name.
    """
    component = find(kind, name)
    path = name if "." in name else f"{KINDS[kind]}.{name}"
    first, rest = split_docstring(inspect.getdoc(importlib.import_module(path)) or "")
    at, slot = place(kind, name)
    return ComponentText(
        kind=kind,
        name=name,
        path=path,
        summary=first,
        text=rest,
        key=".".join(at if slot is None or not slot.is_named else (*at, slot.key)),
        version=component.version,
        options=tuple(option_texts(component.options)),
        example=example(kind, name, component),
        metrics=_metrics(component),
        notes=tuple(_notes(kind, name, component)),
    )


def place(kind: str, name: str) -> tuple[tuple[str, ...], Slot | None]:
    """Where a configuration chooses a component, and the slot there; None: a key of its name has its options."""
    if kind == "protocol":
        return ("evaluation", name), None
    for at, slot in slots(CellConfig):
        if slot.kind == kind and slot.component in (None, name):
            return ((*at, name), None) if slot.many else (at, slot)
    raise ConfigError(f"no configuration has a place for the {kind} {name!r}")


def slots(model: type[Options], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Slot]]:
    """Every place below a model where components are chosen."""
    for name, info in model.model_fields.items():
        for inner in parts(info):
            if isinstance(inner, Slot):
                yield (*at, name), inner
            else:
                yield from slots(inner, (*at, name))


def example(kind: str, name: str, component: Component) -> str:
    """A few lines of a study or recipe that use a component, with its first options at their defaults."""
    at, slot = place(kind, name)
    values = _values(component.options)
    if slot is not None and slot.is_named:
        values = {slot.key: name, **values}
    lines = [f"evaluations: [{name}/{'ava' if component.boxes else 'ucf101'}]"] if kind == "protocol" else []
    return "\n".join([*lines, *_block(at, values)]) + "\n"


def required_values(model: type[Options]) -> dict[str, Any]:
    """An example of every required option: its own (``examples=[...]``), or what a section of it needs.

    One that has none holds ``...``, which no option takes.
    """
    return {name: _example_value(info) for name, info in model.model_fields.items() if info.is_required()}


def _example_value(info: FieldInfo) -> Any:
    sections = [inner for inner in parts(info) if not isinstance(inner, Slot)]
    if info.examples or not sections:
        return info.examples[0] if info.examples else "..."
    return required_values(sections[0])


def _values(model: type[Options]) -> dict[str, Any]:
    """What is required, and the first options of the component's own, then inherited ones, at their defaults."""
    fields = model.model_fields
    values = required_values(model)
    inherited = {name for base in model.__mro__[1:] for name in getattr(base, "model_fields", {})}
    for name in sorted(fields, key=inherited.__contains__):
        default = fields[name].default
        plain = not fields[name].is_required() and not any(True for _ in parts(fields[name]))
        if plain and default not in (None, False, ()) and len(values) < SHOWN:
            values[name] = default
    return values


def _block(at: Sequence[str], values: dict[str, Any]) -> list[str]:
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(at)]
    if not values:
        return [*lines[:-1], f"{lines[-1]} {{}}"]
    return [*lines, *(f"{'  ' * len(at)}{key}: {yaml_text(value)}" for key, value in values.items())]


def _metrics(component: Component) -> tuple[str, ...]:
    options = _options(component)
    return () if component.metrics is None or options is None else component.metrics(options)


def _options(component: Component) -> Any:
    """Those of the example; None where a required one has no example."""
    values = required_values(component.options)
    try:
        return resolve(component.options, Tree(values, {(): Origin("an example")}))
    except ConfigError:
        return None


def _notes(kind: str, name: str, component: Component) -> Iterator[str]:
    options = _options(component)
    if kind == "data set" and component.variant is not None:
        yield f"`{name}/NAME` is short for some of its options."
    if kind == "data set" and (options is None or getattr(component.build(options), "needs_root", True)):
        yield f"Its folder is given to a command: `--root {name}=FOLDER`."
    if component.boxes and kind == "data set":
        yield "Its labels are boxes of people with their actions, for protocols that read such boxes."
    if component.boxes and kind == "protocol":
        yield "It reads boxes of people with their actions: of data sets like `ava`."
    if component.downstream is not None:
        yield "It trains: each evaluation is a training of its own, which the store keeps."
    if component.needs_classes:
        least = ", ".join(f"{metric} {count}" for metric, count in component.needs_classes.items())
        yield f"Metrics that need so many classes: {least}."
    if component.file is not None and options is not None:
        yield "It reads {1}: `--root {0}=FILE`, with the name that the options say.".format(*component.file(options))


def listed(kind: str) -> list[tuple[str, str]]:
    """The names of a kind's components with what each is; nothing is imported but the kind's package."""
    return [(name, summary(kind, name)) for name in names(kind)]
