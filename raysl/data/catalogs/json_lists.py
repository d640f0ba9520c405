"""Reads official lists in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raysl.errors import DataError


def read_json(file: Path, catalog: str, hint: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The contents of a list.

    Args:
        hint: where to get the list.
        pairs: makes the value of an object from its names and values in order; None: a dict, with unique names.

    Raises:
        DataError: the list is absent or cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=pairs)
    except FileNotFoundError as error:
        raise DataError(f"{catalog}: the list {file} is absent; {hint}") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{catalog}: the list {file} cannot be read ({error}); {hint}") from error


def read_array(file: Path, catalog: str, hint: str) -> list[Any]:
    """The entries of a list that is an array.

    Raises:
        DataError: as `read_json`; it is no array, or is empty.
    """
    rows = read_json(file, catalog, hint)
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{catalog}: the list {file} is not a JSON array with entries; {hint}")
    return rows
