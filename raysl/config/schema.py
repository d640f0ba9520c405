"""JSON schema (draft 7) of configurations, so that an editor completes keys and marks errors.

It is made from the options models of all components. Some checks are left to the loader: bases, refused combinations,
names that a study's ``datasets:`` defines.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import Chosen, find, names
from raysl.config.options import NO_UNIT, Options
from raysl.config.parts import parts

JsonSchema = dict[str, Any]
NULL: JsonSchema = {"type": "null"}
DOTTED: JsonSchema = {"type": "string", "pattern": r"\."}
"""Import path of a component in another package."""


@dataclass
class Schemas:
    """Makes schemas, and collects the definitions that they refer to.

    Attributes:
        partial: for a file that extends another (study, recipe, row): no key is required, a component's options may be
            written without its name, and a data set may have a name that the study defines. False: for a resolved
            cell.
    """

    partial: bool
    definitions: dict[str, JsonSchema] = field(default_factory=dict)

    def options(self, model: type[Options]) -> JsonSchema:
        """An options model: its keys and no others."""
        schema: JsonSchema = {
            "type": "object",
            "properties": {name: self.field(info) for name, info in model.model_fields.items()},
            "additionalProperties": False,
        }
        required = [name for name, info in model.model_fields.items() if info.is_required()]
        if required and not self.partial:
            schema["required"] = required
        nested = [name for name, info in model.model_fields.items() if any(True for _ in parts(info))]
        if nested and self.partial:  # dotted keys are allowed in any mapping
            schema["patternProperties"] = {rf"^({'|'.join(nested)})\.": {}}
        return schema

    def field(self, info: FieldInfo) -> JsonSchema:
        """One option with what it does, its unit, source and default."""
        schema = self.annotation(info.annotation, tuple(info.metadata))
        said: JsonSchema = {"description": _description(info)}
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        if not info.is_required() and not isinstance(default, Options | Chosen):
            said["default"] = list(default) if isinstance(default, tuple) else default
        return {"allOf": [schema], **said} if "$ref" in schema else {**schema, **said}

    def annotation(self, annotation: Any, metadata: tuple[Any, ...] = ()) -> JsonSchema:
        """A type as the loader reads it from YAML."""
        for slot in metadata:
            if isinstance(slot, Slot):
                return self.slot(slot)
        if not _holds_options(annotation):
            plain: Any = Annotated[(annotation, *metadata)] if metadata else annotation
            return draft_7(TypeAdapter[Any](plain).json_schema())
        if annotation is CellConfig:
            return {"type": "object", "description": "the whole configuration of a resolved cell"}
        if isinstance(annotation, type) and issubclass(annotation, Options):
            return self.options(annotation)
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.annotation(inner[0], inner[1:])
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.annotation(alternative) for alternative in inner]}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.annotation(inner[1])}
        if origin in (tuple, list):
            return {"type": "array", "items": self.annotation(inner[0])}
        raise TypeError(f"an option of type {annotation} cannot be written as JSON schema")

    def slot(self, slot: Slot) -> JsonSchema:
        """A choice among the components of a kind: its name, or a mapping with its options.

        If the slot takes only one component, that one's options; if it takes many, a mapping from name to options.
        """
        if slot.many:
            return self._many(slot)
        if slot.component is not None:
            return self.component(slot, slot.component)
        name = slot.kind.replace(" ", "_")
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = {"anyOf": [*self._named(slot), *self._mappings(slot)]}
        return reference(name)

    def component(self, slot: Slot, name: str) -> JsonSchema:
        """The mapping of one component's options, with the key that names it."""
        place = f"{slot.kind.replace(' ', '_')}.{name}"
        if place not in self.definitions:
            schema = self.options(find(slot.kind, name).options)
            self.definitions[place] = schema
            if not slot.is_named:
                return reference(place)
            chooser = {"anyOf": _names(slot.kind, [name]), "description": f"the {slot.kind}"}
            schema["properties"] = {slot.key: chooser, **schema["properties"]}
            if not self.partial:
                schema["required"] = [slot.key, *schema.get("required", [])]
        return reference(place)

    def _many(self, slot: Slot) -> JsonSchema:
        known = {name: {"anyOf": [NULL, self.component(slot, name)]} for name in names(slot.kind)}
        other = {"type": "object"}
        return {
            "type": "object",
            "properties": known,
            "patternProperties": {DOTTED["pattern"]: other},
            "additionalProperties": False,
        }

    def paths(self, model: type[Options], at: str = "") -> Iterator[tuple[str, JsonSchema]]:
        """Every dotted key below a model with its schema; one for each component that has it."""
        for name, info in model.model_fields.items():
            here = f"{at}{name}"
            yield here, self.field(info)
            for inner in parts(info):
                if isinstance(inner, Slot):
                    yield from self._slot_paths(inner, here)
                else:
                    yield from self.paths(inner, f"{here}.")

    def _slot_paths(self, slot: Slot, here: str) -> Iterator[tuple[str, JsonSchema]]:
        if slot.is_named:
            yield f"{here}.{slot.key}", {"anyOf": self._named(slot)}
        for component in names(slot.kind) if slot.component is None else [slot.component]:
            place = f"{here}.{component}" if slot.many else here
            if slot.many:
                yield place, {"anyOf": [NULL, self.component(slot, component)]}
            yield from self.paths(find(slot.kind, component).options, f"{place}.")

    def _named(self, slot: Slot) -> list[JsonSchema]:
        known = _names(slot.kind, names(slot.kind))
        if slot.kind == "framework":
            known.append({"const": "none", "description": "no contrastive term"})
        if self.partial and slot.kind == "data set":
            return [*known, {"type": "string", "description": "a name that datasets defines, or an import path"}]
        return [*known, DOTTED]

    def _mappings(self, slot: Slot) -> list[JsonSchema]:
        known = [self.component(slot, name) for name in names(slot.kind)]
        if slot.kind == "framework":
            none = {"type": "object", "properties": {slot.key: {"const": "none"}}, "additionalProperties": False}
            known.append({**none, "required": [slot.key]})
        other: JsonSchema = DOTTED
        if self.partial and slot.kind == "data set":
            other = {"type": "string", "not": {"anyOf": _names(slot.kind, names(slot.kind))}}
        return [*known, {"type": "object", "properties": {slot.key: other}, "required": [slot.key]}]


def cell_schema() -> JsonSchema:
    """A resolved cell, as `raysl plan --show-cell` prints it."""
    schemas = Schemas(partial=False)
    return document("a resolved cell", schemas.options(CellConfig), schemas)


def component_schema(kind: str) -> JsonSchema:
    """A choice among the components of a kind, resolved."""
    schemas = Schemas(partial=False)
    key = "framework" if kind == "framework" else "name"
    return document(f"a {kind}", schemas.slot(Slot(kind, key)), schemas)


def document(title: str, schema: JsonSchema, schemas: Schemas) -> JsonSchema:
    """A complete schema with its definitions."""
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": f"raysl: {title}"}
    body = {"allOf": [schema]} if "$ref" in schema else schema
    return {**head, **body, "definitions": dict(sorted(schemas.definitions.items()))}


def reference(name: str) -> JsonSchema:
    """A reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def draft_7(schema: JsonSchema) -> JsonSchema:
    """Converts a schema of pydantic (2020-12) to draft 7, which writes tuples of fixed length differently."""
    result = {key: _inner(value) for key, value in schema.items() if key != "prefixItems"}
    if "prefixItems" in schema:
        result["items"] = _inner(schema["prefixItems"])
    return result


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(item) for item in value]
    return draft_7(value) if isinstance(value, dict) else value


def _description(info: FieldInfo) -> str:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    unit = f" Unit: {extra['unit']}." if extra.get("unit", "") not in ("", NO_UNIT) else ""
    return f"{info.description}.{unit} Source: {extra.get('source')}."


def _names(kind: str, components: list[str]) -> list[JsonSchema]:
    """Text that names one of these components, with a variant (``synthetic/large``) if it has some."""
    varied = [name for name in components if find(kind, name).variant is not None]
    result: list[JsonSchema] = [{"enum": components}]
    if varied:
        result.append({"type": "string", "pattern": f"^({'|'.join(varied)})/.+"})
    return result


def _holds_options(annotation: Any) -> bool:
    if isinstance(annotation, Slot) or (isinstance(annotation, type) and issubclass(annotation, Options)):
        return True
    return any(_holds_options(inner) for inner in get_args(annotation))
