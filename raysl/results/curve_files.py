"""The files of an attempt's curves: ``curves.csv`` once it has ended, and until then parts below ``curves/``.

A part is named by the first and the last step in it. A long training would write its whole curves hundreds of times
if each checkpoint wrote them anew, so it writes what is new, and joins parts of one size to larger ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from raysl.results.encoding import UnreadableError, from_csv, numbers_from_csv, to_csv
from raysl.results.place import Place

if TYPE_CHECKING:
    import pandas as pd

WHOLE = "curves.csv"
PARTS = "curves"
_NAME = re.compile(rf"{PARTS}/(\d+)-(\d+)\.csv")


def part_path(rows: pd.DataFrame) -> str:
    """Where a part lies below the attempt: ``curves/000000001-000000050.csv``."""
    return f"{PARTS}/{int(rows['step'].iloc[0]):09d}-{int(rows['step'].iloc[-1]):09d}.csv"


def part_paths(place: Place) -> list[str]:
    """The parts that together have every step once, in order: one that a larger part has replaced is left out."""
    found = [(int(match[1]), int(match[2]), path) for path in place.entries(PARTS) if (match := _NAME.fullmatch(path))]
    paths, end = [], -1
    for _, last, path in sorted(found, key=lambda one: (one[0], -one[1])):
        if last > end:
            paths.append(path)
            end = last
    return paths


def joined(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """Parts, each with its path, as one table; columns that begin later are empty before.

    Raises:
        UnreadableError: one is empty, or not a table of numbers by steps.
    """
    import pandas as pd

    for path, data in parts:
        if "step" not in numbers_from_csv(data, path, ("",)):
            raise UnreadableError(f"{path} has no steps ({len(data)} bytes)")
    if len({data.partition(b"\n")[0] for _, data in parts}) == 1:
        return b"".join([parts[0][1], *(data.partition(b"\n")[2] for _, data in parts[1:])])
    return to_csv(pd.concat([from_csv(data, path) for path, data in parts], ignore_index=True))
