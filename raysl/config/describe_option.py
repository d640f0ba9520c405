"""Options in words: type, bounds, unit, default, source and what each does, from the options models."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import Chosen
from raysl.config.options import NO_UNIT, Options
from raysl.config.parts import parts

PLAIN: dict[Any, str] = {
    bool: "true or false",
    int: "int",
    float: "float",
    str: "text",
    types.NoneType: "null",
    Chosen: "component",
    Any: "any value",
}
"""How types without parts are called."""


@dataclass(frozen=True)
class OptionText:
    """One option in words.

    Attributes:
        key: as it is written, dotted from where the description starts: ``projector.hidden_dim``.
        values: type and bounds: ``int 1 to 64, or null``.
        default: as YAML; None where the option is required, or a section whose own options have defaults.
        required: it has no default.
        unit: of a number; empty where there is none.
        source: where the default comes from: ``printed: TaCo 3.1; code: CVRL``.
        doc: what it does.
        identity: it enters a cell's id.
        kind: of the components that it chooses from; None: it chooses none.
    """

    key: str
    values: str
    default: str | None
    required: bool
    unit: str
    source: str
    doc: str
    identity: bool
    kind: str | None = None


def option_texts(model: type[Options], at: str = "", default: Any = None) -> Iterator[OptionText]:
    """All options of a model in its order, those of the sections below it too; components end it.

    Args:
        at: what their keys begin with, a dot at its end.
        default: the options that a section has where nothing is written; None: the model's own defaults.
    """
    for name, info in model.model_fields.items():
        own = getattr(default, name) if isinstance(default, model) else _default(info)
        yield _text(f"{at}{name}", info, own)
        for inner in parts(info):
            if not isinstance(inner, Slot):
                yield from option_texts(inner, f"{at}{name}.", own)


def _text(key: str, info: FieldInfo, default: Any) -> OptionText:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    unit = str(extra.get("unit", ""))
    slots = [inner for inner in parts(info) if isinstance(inner, Slot)]
    return OptionText(
        key=key,
        values=_values(info.annotation, tuple(info.metadata)),
        default=None if default is PydanticUndefined or isinstance(default, Options) else yaml_text(default),
        required=default is PydanticUndefined,
        unit="" if unit == NO_UNIT else unit,
        source=str(extra.get("source", "")),
        doc=info.description or "",
        identity=extra.get("identity") is not False,
        kind=slots[0].kind if slots and slots[0].component is None else None,
    )


def yaml_text(value: Any) -> str:
    """A value as it may be written in YAML, on one line; of components what differs from their defaults."""
    if isinstance(value, Chosen):
        changed = _changed(value.options)
        return yaml_text({"name": value.name, **changed}) if changed else value.name
    if isinstance(value, Options):
        return yaml_text(_changed(value))
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(yaml_text, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_text(key)}: {yaml_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, float):
        return str(value) if "." in str(value) else str(value).replace("e", ".0e")  # YAML reads 1e-3 as text
    if isinstance(value, str) and yaml.safe_load(value) == value and not set(value) & set(",:#{}[]"):
        return value
    return json.dumps(value, ensure_ascii=False)


def _changed(options: Options) -> dict[str, Any]:
    values = {name: getattr(options, name) for name in type(options).model_fields}
    return {name: one for name, one in values.items() if one != _default(type(options).model_fields[name])}


def _default(info: FieldInfo) -> Any:
    return PydanticUndefined if info.is_required() else info.get_default(call_default_factory=True)


def _values(annotation: Any, metadata: tuple[Any, ...]) -> str:
    """What an option may hold, with its bounds."""
    for slot in metadata:
        if isinstance(slot, Slot):
            return _component(slot)
    if isinstance(annotation, type) and issubclass(annotation, Options):
        return "a whole configuration" if annotation is CellConfig else "section"
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _values(inner[0], (*metadata, *inner[1:]))
    if origin is Literal:
        return " | ".join(yaml_text(one) for one in inner)
    if origin in (Union, types.UnionType):
        plain = [one for one in inner if one is not types.NoneType]
        several = [_values(one, metadata) for one in plain]
        return ", or ".join([*several, *(["null"] if len(plain) < len(inner) else [])])
    if origin in (tuple, list):
        members = list(dict.fromkeys(_values(one, ()) for one in inner if one is not Ellipsis))
        return f"list of {' and '.join(members)}{_length(metadata)}"
    if origin is dict or annotation is dict:
        return "mapping"
    return f"{PLAIN.get(annotation, getattr(annotation, '__name__', str(annotation)))}{_bounds(metadata)}"


def _component(slot: Slot) -> str:
    if slot.many:
        return f"{slot.kind}s by name"
    return (
        f"options of {slot.component}" if slot.component else f"{'an' if slot.kind[0] in 'aeiou' else 'a'} {slot.kind}"
    )


def _bounds(metadata: tuple[Any, ...]) -> str:
    """`` 1 to 64``, `` above 0 to 100``, `` 0 to below 1``; empty where there are none."""
    known = {
        name: getattr(place, name)
        for one in metadata
        for place in (one, *getattr(one, "metadata", ()))
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if getattr(place, name, None) is not None
    }
    low = _number(known["ge"]) if "ge" in known else f"above {_number(known['gt'])}" if "gt" in known else ""
    high = _number(known["le"]) if "le" in known else f"below {_number(known['lt'])}" if "lt" in known else ""
    multiple = f", a multiple of {known['multiple_of']}" if "multiple_of" in known else ""
    return (f" {low} to {high}" if low and high else f" {low or high}" if low or high else "") + multiple


def _length(metadata: tuple[Any, ...]) -> str:
    least = next((one.min_length for one in metadata if getattr(one, "min_length", None)), None)
    return "" if least is None else f", at least {least}"


def _number(value: float) -> str:
    """``1e6`` for a million, ``64`` as it is."""
    short = f"{value:g}".replace("e+0", "e").replace("e+", "e")
    return short if float(short) == value else str(value)
