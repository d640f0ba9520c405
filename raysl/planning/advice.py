"""What should be known of the rows of a plan before they are paid for."""

from __future__ import annotations

from collections.abc import Iterable

from raysl.config.cells import Cell
from raysl.config.load import advice


def advice_lines(cells: Iterable[Cell]) -> list[str]:
    """Each piece of advice once, behind the rows that it is for: ``note: study/row; study/other row: ...``."""
    rows: dict[str, list[str]] = {}
    for cell in cells:
        for text in advice(cell.config):
            row = f"{cell.study}/{cell.row}"
            if row not in rows.setdefault(text, []):
                rows[text].append(row)
    return [f"note: {'; '.join(names)}: {text}" for text, names in rows.items()]
