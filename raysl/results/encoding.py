"""Encoding of small objects, and reading them with a check that they are complete."""

from __future__ import annotations

import hashlib
import json
import math
import re
from copy import deepcopy
from csv import reader as read_lines
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import yaml
from numpy.typing import NDArray
from pyarrow import csv

from raysl.results.place import Place

if TYPE_CHECKING:
    import pandas as pd

_TOP_LEVEL = re.compile(r"^(?=[\w'\"])", re.MULTILINE)
"""The beginning of a key of the outermost mapping: lists and longer texts below it begin with a dash or blanks."""
_LAST_LINE = "# blake2b of the lines above: "
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnreadableError(Exception):
    """An object that exists but is empty, incomplete or of another form; the message has the reason."""


def digest(data: bytes) -> str:
    """BLAKE2b-128 of the bytes, as hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def to_json(record: dict[str, Any]) -> bytes:
    """JSON with the keys in the record's order; NaN and infinities as strings, since JSON lacks them."""
    return (json.dumps(_finite(record), indent=2, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def read_json(place: Place, path: str) -> dict[str, Any] | None:
    """The record; None if there is no such object.

    Raises:
        UnreadableError: it exists but is not a JSON mapping.
    """
    data = place.read(path)
    if data is None:
        return None
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path} is not whole ({len(data)} bytes): {error}") from error
    return _mapping(record, path)


def to_yaml(record: dict[str, Any]) -> bytes:
    """YAML with the keys in the record's order, and a last line by which a reader sees that the file is complete."""
    data = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=120).encode()
    return data + f"{_LAST_LINE}{digest(data)}\n".encode()


def read_yaml(place: Place, path: str) -> dict[str, Any] | None:
    """As `read_json`, for what `to_yaml` wrote; cut short or edited by hand it is unreadable."""
    data = place.read(path)
    return None if data is None else _parsed(data, path)


def has_yaml(place: Place, path: str) -> bool:
    """Whether the object that `to_yaml` wrote exists. Its last line shows that it is complete, so it is not parsed.

    Raises:
        UnreadableError: as by `read_yaml`.
    """
    data = place.read(path)
    if data is not None and not _is_whole(data):
        _parsed(data, path)
    return data is not None


def _is_whole(data: bytes) -> bool:
    body, mark, written = data.rpartition(_LAST_LINE.encode())
    return bool(mark) and written.decode(errors="replace") == f"{digest(body)}\n"


def _parsed(data: bytes, path: str) -> dict[str, Any]:
    whole = _is_whole(data)
    try:
        record = _by_parts(data.decode()) if whole else yaml.load(data, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise UnreadableError(f"{path} is not valid YAML ({len(data)} bytes): {problem}") from error
    if not whole:
        raise UnreadableError(f"{path} was cut short or edited: its last line does not match the lines above")
    return _mapping(record, path)


def _by_parts(text: str) -> Any:
    """What `to_yaml` wrote, read by top-level key with a cache: a study's cells mostly have the same parts.

    If a part refers to another (``*id001``), everything is read at once.
    """
    if "&id" in text:
        return yaml.load(text, Loader=_Loader)
    record: dict[str, Any] = {}
    for part in _TOP_LEVEL.split(text):
        record |= deepcopy(_part(part)) or {}
    return record


@lru_cache(maxsize=4096)  # what the rows of a large study have of their own, found again by their other seeds
def _part(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _mapping(record: Any, path: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableError(f"{path} holds {'nothing' if record is None else type(record).__name__}, not a mapping")
    return {str(key): value for key, value in record.items()}


def to_csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()


def from_csv(data: bytes, path: str) -> pd.DataFrame:
    """The frame, with each float exactly as written.

    Raises:
        UnreadableError: the bytes are empty, or not a table.
    """
    frame: pd.DataFrame = _read_csv(data, path, csv.ConvertOptions()).to_pandas(use_threads=False)
    return frame


def numbers_from_csv(data: bytes, path: str, beginnings: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """The columns whose names begin with ``prefix``, NaN for empty fields; three times as fast as `from_csv`.

    Raises:
        UnreadableError: as by `from_csv`, or a field is no number.
    """
    head = read_lines([data.partition(b"\n")[0].decode(errors="replace")])
    names = [name for line in head for name in line if name.startswith(beginnings)]
    kinds = dict.fromkeys(names, pyarrow.float64())
    table = _read_csv(data, path, csv.ConvertOptions(include_columns=names, column_types=kinds))
    return {name: table[name].to_numpy() for name in names}


def _read_csv(data: bytes, path: str, options: csv.ConvertOptions) -> pyarrow.Table:
    if not data.endswith(b"\n"):
        raise UnreadableError(f"{path} is empty or cut short ({len(data)} bytes)")
    try:
        return csv.read_csv(pyarrow.BufferReader(data), csv.ReadOptions(use_threads=False), convert_options=options)
    except (ValueError, KeyError) as error:
        raise UnreadableError(f"{path} is not a table ({len(data)} bytes): {error}") from error
