"""What a report is written as: the formats of ``--format``, and the one place that reads it."""

from __future__ import annotations

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
"""Format to what is written in it."""

DEFAULT_FORMATS = ("md", "csv", "latex", "svg", "png")


def read_formats(text: str | None = None) -> tuple[str, ...]:
    """``md,csv`` as formats, in the order of `FORMATS`, each once; `DEFAULT_FORMATS` where nothing was given.

    Raises:
        ConfigError: none, or one that does not exist.
    """
    if text is None:
        return DEFAULT_FORMATS
    given = [name.strip().lower() for name in text.split(",")]
    for name in given:
        if name not in FORMATS:
            raise ConfigError(
                f"--format {text}: {name!r} is no format{suggestion(name, FORMATS)}; give some of {','.join(FORMATS)}"
            )
    return tuple(name for name in FORMATS if name in given)
