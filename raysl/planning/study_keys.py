"""The keys of study and scale files in words."""

from __future__ import annotations

from collections.abc import Iterator

from raysl.config.describe_option import OptionText, option_texts
from raysl.config.options import Options
from raysl.config.scale import Factor, Scale
from raysl.planning.read_axes import AxisOptions
from raysl.planning.search_options import SearchOptions
from raysl.planning.study import Reference, StudyOptions

SHARED = {
    "base": "recipes or studies to extend, each overriding the one before",
    "datasets": "data sets that this study names, each with its options",
    "evaluation": "protocol to its options; under a name of its own, with `protocol:`, a protocol may stand again",
}
"""Keys of studies and recipes that are in no options model."""
BELOW: dict[str, tuple[str, type[Options]]] = {
    "axes": ("axes.KEY.", AxisOptions),
    "search": ("search.", SearchOptions),
    "reference": ("reference.", Reference),
    "multiply": ("multiply.KEY.", Factor),
}
"""Keys whose content the loader reads in its own way, and what it holds."""


def study_texts() -> list[OptionText]:
    """The keys of a study besides those of a configuration, which are all allowed there too."""
    values = {"base": "text, or list of text"}
    base, *others = (
        OptionText(key, values.get(key, "mapping"), None, False, "", "per study", doc, True)
        for key, doc in SHARED.items()
    )
    return [base, *_below(option_texts(StudyOptions)), *others]


def scale_texts() -> list[OptionText]:
    """The keys of a scale file, and of what a study has under ``scales: {NAME: ...}``."""
    return list(_below(option_texts(Scale)))


def _below(texts: Iterator[OptionText]) -> Iterator[OptionText]:
    """Each key with a description of its value."""
    for text in texts:
        yield text
        if text.key in BELOW:
            at, model = BELOW[text.key]
            yield from option_texts(model, at)
