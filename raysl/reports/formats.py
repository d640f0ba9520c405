"""The formats of a report, and parsing of ``--format``."""

from __future__ import annotations

import os

from raysl.config.suggest import suggestion
from raysl.errors import ConfigError

FORMATS = {
    "md": "table.md",
    "csv": "table.csv, and trials.csv of a search",
    "latex": "table.tex, for a paper",
    "html": "index.html, a page of the study with every cell",
    "svg": "figures as SVG, each with its data as CSV",
    "png": "figures as PNG, each with its data as CSV",
}
"""From a format to its files."""

DEFAULT_FORMATS = ("md", "csv", "latex", "svg", "png")


VARIABLE = "RAYSL_FORMAT"
"""Environment variable that replaces the default."""


def read_formats(text: str | None = None) -> tuple[str, ...]:
    """``md,csv`` as formats, in the order of `FORMATS`, each once.

    Args:
        text: as given; None: the value of `VARIABLE`, or `DEFAULT_FORMATS`.

    Raises:
        ConfigError: none, or one that does not exist.
    """
    option = "--format" if text is not None else VARIABLE
    text = os.environ.get(VARIABLE) if text is None else text
    if text is None:
        return DEFAULT_FORMATS
    given = [name.strip().lower() for name in text.split(",")]
    for name in given:
        if name not in FORMATS:
            raise ConfigError(
                f"{option} {text}: {name!r} is no format{suggestion(name, FORMATS)}; give some of {','.join(FORMATS)}"
            )
    return tuple(name for name in FORMATS if name in given)
