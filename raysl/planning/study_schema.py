"""JSON schema of studies, recipes and scales."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import find, names
from raysl.config.document import STUDY_KEYS
from raysl.config.scale import Factor, Scale
from raysl.config.schema import NULL, JsonSchema, Schemas, document, reference
from raysl.planning.levels import DISTRIBUTIONS
from raysl.planning.load_search import NO_AXES
from raysl.planning.read_axes import AxisOptions
from raysl.planning.search_options import SearchOptions
from raysl.planning.study import Reference, StudyOptions
from raysl.planning.study_keys import SHARED
from raysl.published import published_tables

OPEN_KEYS = (*STUDY_KEYS, "datasets")
"""Keys of a study with the study's own names below them, so that dotted keys cannot be listed."""


def study_schema() -> JsonSchema:
    """A study or a recipe: sections of a cell, keys of a study, and dotted keys into both."""
    schemas = Schemas(partial=True)
    row = _row(schemas)
    schemas.definitions["row"] = row
    properties = {
        **row["properties"],
        **schemas.options(StudyOptions)["properties"],
        **_written_otherwise(schemas),
        **_designed(schemas, row["properties"]),
    }
    schema: JsonSchema = {
        "type": "object",
        "properties": properties,
        "patternProperties": {rf"^({'|'.join(OPEN_KEYS)})\.": {}},
        "additionalProperties": False,
    }
    return document("a study or recipe", schema, schemas)


def scale_schema() -> JsonSchema:
    """A scale file."""
    schemas = Schemas(partial=True)
    schemas.definitions["row"] = _row(schemas)
    return document("a scale", _scale(schemas), schemas)


def _row(schemas: Schemas) -> JsonSchema:
    """The changes of a row: sections of a cell, options of protocols, and dotted keys into both."""
    alternatives: dict[str, list[JsonSchema]] = {}
    for path, schema in [*schemas.paths(CellConfig), ("evaluation", _evaluation(schemas)), *_protocols(schemas)]:
        known = alternatives.setdefault(path, [])
        if schema not in known:
            known.append(schema)
    for path, known in alternatives.items():
        schemas.definitions[f"key.{path}"] = known[0] if len(known) == 1 else {"anyOf": known}
    properties = {path: reference(f"key.{path}") for path in alternatives}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _evaluation(schemas: Schemas) -> JsonSchema:
    options = {name: _protocol(schemas, name) for name in names("protocol")}
    return {
        "description": SHARED["evaluation"],
        "type": "object",
        "properties": {name: {"anyOf": [NULL, schema]} for name, schema in options.items()},
        "patternProperties": {r"\.": {}},
        "additionalProperties": {
            "description": "a protocol with its options under another name",
            "type": "object",
            "properties": {"protocol": {"anyOf": [{"enum": names("protocol")}, {"type": "string", "pattern": r"\."}]}},
            "required": ["protocol"],
        },
    }


def _protocol(schemas: Schemas, name: str) -> JsonSchema:
    schemas.component(Slot("protocol"), name)
    return reference(f"protocol.{name}")


def _protocols(schemas: Schemas) -> list[tuple[str, JsonSchema]]:
    """Dotted keys into the options of protocols."""
    found = []
    for name in names("protocol"):
        found.append((f"evaluation.{name}", _protocol(schemas, name)))
        found.extend(schemas.paths(find("protocol", name).options, f"evaluation.{name}."))
    return found


def _scale(schemas: Schemas) -> JsonSchema:
    schema = schemas.options(Scale)
    factor = Schemas(partial=False).options(Factor)
    schema["properties"] |= {
        "set": {"description": "applied to the base before rows", **_all(reference("row"))},
        "multiply": {
            "description": "dotted key to the factor of its number, applied after rows",
            "type": "object",
            "additionalProperties": factor,
        },
    }
    return schema


def _designed(schemas: Schemas, keys: Mapping[str, JsonSchema]) -> dict[str, JsonSchema]:
    """Keys of designs: axes are a row's keys (in a search only those that can be searched); parts are keys too."""
    closed = tuple(f"{key}." for key in NO_AXES)
    schemas.definitions["axis"] = _axis(schemas)
    schemas.definitions["subsets"] = _subsets()
    schemas.definitions["part"] = _part(keys)
    free = {"not": {"enum": [*DISTRIBUTIONS, "subsets", "sizes"]}}
    axes = {}
    for key, value in keys.items():
        searched = [] if f"{key}.".startswith(closed) else [reference("axis")]
        levels = [{"type": "array", "items": value, "minItems": 1}, {**_named(value), "propertyNames": free}]
        axes[key] = {"anyOf": [*searched, reference("subsets"), *levels]}
    several = {"anyOf": [reference("subsets"), _named(reference("row"))]}
    parts = [{"type": "array", "items": _key(keys), "minItems": 1}, _named(reference("part"))]
    return {
        "axes": {
            "description": "keys with their values, or with distributions where they are searched; under another name, "
            "values that each change several keys",
            "anyOf": [NULL, {"type": "object", "properties": axes, "additionalProperties": several}],
        },
        "parts": {"description": "what leave_one_out takes away, or add_one_in adds", "anyOf": [NULL, *parts]},
        "core": {
            "description": "what add_one_in adds to: a row by its name, or what it changes",
            "anyOf": [NULL, {"type": "string"}, reference("row")],
        },
        "search": {"description": "settings of a search", "anyOf": [NULL, schemas.options(SearchOptions)]},
    }


def _named(schema: JsonSchema) -> JsonSchema:
    return {"type": "object", "additionalProperties": schema, "minProperties": 1}


def _key(keys: Iterable[str]) -> JsonSchema:
    """A key of a configuration; known ones are completed."""
    return {"anyOf": [{"enum": list(keys)}, {"type": "string", "pattern": r"\."}]}


def _part(keys: Iterable[str]) -> JsonSchema:
    sides = {"type": "object", "properties": {side: reference("row") for side in ("with", "without")}}
    several = {"type": "array", "items": _key(keys), "minItems": 1}
    closed = {**sides, "additionalProperties": False, "minProperties": 1}
    return {"anyOf": [_key(keys), several, closed, reference("row")]}


def _subsets() -> JsonSchema:
    members = [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "object", "minProperties": 1}]
    sizes = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
    return {
        "description": "all subsets of names below the key, or of parts; sizes: how many are in, all where absent",
        "type": "object",
        "properties": {"subsets": {"anyOf": members}, "sizes": sizes},
        "required": ["subsets"],
        "additionalProperties": False,
    }


def _axis(schemas: Schemas) -> JsonSchema:
    schema = schemas.options(AxisOptions)
    for kind, number in (
        ("uniform", {"type": "number"}),
        ("loguniform", {"type": "number", "exclusiveMinimum": 0}),
        ("integers", {"type": "integer"}),
    ):
        bounds = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        schema["properties"][kind]["anyOf"] = [bounds, NULL]
    return schema


def _written_otherwise(schemas: Schemas) -> dict[str, Any]:
    """Keys that the loader does not read by the type of their option."""
    data_set = schemas.slot(Slot("data set"))
    tables = [table.id for table in published_tables()]
    text: JsonSchema = {"type": "string"}
    scale = {**_scale(schemas), "patternProperties": {r"^(set|multiply|substitute)\.": {}}}
    return {
        "base": {
            "description": SHARED["base"],
            "anyOf": [text, {"type": "array", "items": text}],
        },
        "datasets": {
            "description": SHARED["datasets"],
            "type": "object",
            "additionalProperties": data_set,
        },
        "reproduces": {"description": "id of the published table or figure", "enum": [*tables, None]},
        "rows": {
            "description": "row name to what it changes",
            "type": "object",
            "additionalProperties": {"anyOf": [NULL, reference("row"), _repeated()]},
        },
        "evaluations": {
            "description": "PROTOCOL/DATASET, e.g. linear/ucf101",
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": "^[^/]+/.+"},
        },
        "reference": {
            "description": "lines below the table that are no cells",
            "type": "array",
            "items": Schemas(partial=False).options(Reference),
        },
        "scales": {
            "description": "this study's changes to named scales",
            "type": "object",
            "additionalProperties": scale,
        },
    }


def _repeated() -> JsonSchema:
    """A row that only names the row that it repeats."""
    named = {"same_as": {"type": "string", "description": "the row that this one repeats on purpose"}}
    return {"type": "object", "properties": named, "required": ["same_as"], "additionalProperties": False}


def _all(schema: JsonSchema) -> JsonSchema:
    """A reference with other keys: draft 7 ignores keys next to ``$ref``."""
    return {"allOf": [schema]}
