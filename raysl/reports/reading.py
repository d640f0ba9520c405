"""Sentences on a study, written by hand, whose figures are taken from its table when they are printed.

A placeholder is ``{row | column | what}``: a row or reference line by its name, a column by the beginning of its
heading (``linear`` for ``linear/ucf101_5class top1``), and one of `KINDS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from raysl.config.suggest import nearest
from raysl.errors import ConfigError
from raysl.reports.table import Difference, Entry, Table
from raysl.reports.text import p_text, sample_text

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def fill_reading(text: str, table: Table, file: str) -> str:
    """The text with each placeholder replaced.

    Args:
        file: that the text is in, for messages.

    Raises:
        ConfigError: naming the placeholder, and what is there in place of its row, column or kind.
    """

    def filled(match: re.Match[str]) -> str:
        try:
            return _filled(table, *_parts(match[1]))
        except ConfigError as error:
            raise ConfigError(f"{file}: {match[0]}: {error}") from error

    return PLACEHOLDER.sub(filled, text)


def _parts(text: str) -> tuple[str, str, str]:
    parts = [part.strip() for part in text.rsplit("|", 2)]
    if len(parts) != 3:
        raise ConfigError("write {row | column | what}")
    return parts[0], parts[1], parts[2]


def _filled(table: Table, name: str, column: str, kind: str) -> str:
    position = _position(table, column)
    for line in table.source.references:
        if line.name == name and kind == "mean":
            value = line.values.get(table.source.columns[position].key)
            if value is None:
                raise ConfigError("there is no value")
            return f"{value:.1f}"
    rows = {row.name: row for row in table.rows}
    if name not in rows:
        known = [*rows, *(line.name for line in table.source.references)]
        raise ConfigError(f"there is no such row{nearest(name, known)}; there are {', '.join(known)}")
    if kind not in KINDS:
        raise ConfigError(f"write one of {', '.join(KINDS)}{nearest(kind, list(KINDS))}")
    filled = KINDS[kind](rows[name].entries[position])
    if filled is None:
        raise ConfigError(f"{name} has no {kind} in this column")
    return filled


def _position(table: Table, beginning: str) -> int:
    headings = [column.heading for column in table.source.columns]
    found = [position for position, heading in enumerate(headings) if heading.startswith(beginning)]
    if len(found) != 1:
        raise ConfigError(f"{len(found)} columns begin with {beginning!r}; there are {', '.join(headings)}")
    return found[0]


def _of_difference(said: Callable[[Difference], str | None]) -> Callable[[Entry], str | None]:
    return lambda entry: None if entry.difference is None else said(entry.difference)


def _mean(entry: Entry) -> str | None:
    return None if entry.sample.mean is None else f"{entry.sample.mean:.1f}"


def _change(difference: Difference) -> str | None:
    return None if difference.sample.mean is None else f"{difference.sample.mean:+.1f}"


def _interval(difference: Difference) -> str | None:
    sample = difference.sample
    return None if sample.low is None or sample.high is None else f"[{sample.low:+.1f}, {sample.high:+.1f}]"


def _side(difference: Difference) -> str | None:
    mean = difference.sample.mean
    return None if mean is None else "above" if mean > 0 else "below" if mean < 0 else "level with"


def _p(difference: Difference) -> str | None:
    return None if difference.p_adjusted is None else p_text(difference.p_adjusted)


def _p_videos(difference: Difference) -> str | None:
    videos = difference.videos
    return None if videos is None or videos.p_adjusted is None else p_text(videos.p_adjusted)


KINDS: dict[str, Callable[[Entry], str | None]] = {
    "mean": _mean,
    "value": lambda entry: sample_text(entry.sample),
    "difference": _of_difference(_change),
    "interval": _of_difference(_interval),
    "side": _of_difference(_side),
    "decided": _of_difference(lambda one: "decided" if one.decided else "not decided"),
    "p": _of_difference(_p),
    "p over videos": _of_difference(_p_videos),
}
"""What a placeholder prints: the mean, the mean with its interval and number of seeds; of the difference to the
baseline its mean, interval, side (above, below), whether the seeds decide it, and its corrected p over seeds and over
test videos. Of a reference line there is the mean alone."""
