"""`raysl schema`: JSON schema for editors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from raysl.config.component import KINDS
from raysl.config.schema import JsonSchema, cell_schema, component_schema
from raysl.config.suggest import nearest
from raysl.errors import ConfigError, StorageError
from raysl.planning.study_schema import scale_schema, study_schema

WHOLE: dict[str, Callable[[], JsonSchema]] = {"study": study_schema, "scale": scale_schema, "cell": cell_schema}


def schema_text(kind: str, *, in_ascii: bool = False) -> str:
    """The schema as JSON text.

    Args:
        in_ascii: other characters are escaped.
        kind: ``study`` (recipes too), ``scale``, ``cell``, or a kind of component: ``backbone``, ``data-set``, ...

    Raises:
        ConfigError: an unknown kind; the nearest is suggested.
    """
    components = {name.replace(" ", "-"): name for name in KINDS}
    asked = kind.replace(" ", "-").replace("_", "-")
    if asked in WHOLE:
        schema = WHOLE[asked]()
    elif asked in components:
        schema = component_schema(components[asked])
    else:
        raise ConfigError(f"--kind {kind}: there is no such schema{nearest(kind, [*WHOLE, *components])}")
    return json.dumps(schema, indent=2, ensure_ascii=in_ascii, allow_nan=False) + "\n"


def write_schema(kind: str, to: Path) -> None:
    """Writes the schema to a file, and creates its folders.

    Raises:
        ConfigError: an unknown kind.
        StorageError: the file cannot be written.
    """
    text = schema_text(kind)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"the schema cannot be written to {to}: {error}") from error
