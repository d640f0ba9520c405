"""The report of `tasks_learn.py`: what was measured as CSV, and the table that follows from it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from raysl.reports.statistics import PERCENT, describe
from raysl.reports.text import HOLE, grid, sample_text

HEAD = ("row", "classes", "seeds", "steps", "questions a seed")


@dataclass(frozen=True)
class Measured:
    """One training.

    Attributes:
        classes: 0 for a regression.
        questions: about test videos.
        score: share of right answers, or mean squared error.
        trivial: of the commonest answer, or of the mean.
        cpu_seconds, seconds: of training and measuring, this process's and by the clock.
    """

    row: str
    task: str
    seed: int
    steps: int
    batch_size: int
    classes: int
    questions: int
    score: float
    trivial: float
    cpu_seconds: float
    seconds: float


def write_csv(path: Path, measured: Sequence[Measured]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Measured)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(one) for one in measured)


def read_csv(path: Path) -> list[Measured]:
    """What `write_csv` wrote, to the last digit."""
    kinds: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Measured(**{field.name: kinds[str(field.type)](line[field.name]) for field in fields(Measured)})
            for line in csv.DictReader(file)
        ]


def learned(ours: Sequence[Measured]) -> bool | None:
    """Whether the interval of one row over seeds excludes the trivial answer of every seed; None below three seeds.

    Scores that are equal at all seeds have no interval; they are compared themselves.
    """
    scores = describe([one.score for one in ours])
    low, high = (scores.mean, scores.mean) if scores.all_equal else (scores.low, scores.high)
    if low is None or high is None:
        return None
    return low > max(one.trivial for one in ours) if ours[0].classes else high < min(one.trivial for one in ours)


def render(measured: Sequence[Measured], notes: Mapping[str, str | None]) -> str:
    """The report as Markdown. Args: notes: by row."""
    by_row: dict[str, list[Measured]] = {}
    for one in measured:
        by_row.setdefault(one.row, []).append(one)
    classified = [_classified(name, ours) for name, ours in by_row.items() if ours[0].classes]
    regressed = [_regressed(name, ours) for name, ours in by_row.items() if not ours[0].classes]
    blocks = ["# Does every pretext task learn? Held-out videos of the synthetic set", _about(measured)]
    if classified:
        blocks.append(grid([*HEAD, "majority rate", "accuracy", "lower end", "above majority"], classified))
    if regressed:
        blocks.append("Regression: mean squared error, beside that of always answering the questions' mean.")
        blocks.append(grid([*HEAD[:1], *HEAD[2:], "of the mean", "error", "upper end", "below the mean's"], regressed))
    said = [f"- {name}: {notes[name]}" for name in by_row if notes.get(name)]
    return "\n\n".join([*blocks, *(["\n".join(said)] if said else [])]) + "\n"


def _about(measured: Sequence[Measured]) -> str:
    cpu, clock = (sum(getattr(one, kind) for one in measured) / 60 for kind in ("cpu_seconds", "seconds"))
    return (
        "`python benchmarks/tasks_learn.py`, with the seeds and steps of the table. Each task is trained alone on the "
        "training split of the rendered set `synthetic` and asked about its test split, videos that no training saw; "
        f"size of scale laptop, batches of {', '.join(sorted({str(one.batch_size) for one in measured}))} videos, "
        "AdamW; benchmarks/tasks_learn.yaml has all settings. Accuracies in percent: mean ± half-width of the 95 % "
        "t-interval over seeds (their number), with its two ends where it is cut at 100 %; the majority rate is that "
        "of the very questions asked, the largest of the seeds'. Settings and steps were chosen by trials on the same "
        "test videos, so the table shows that a task can be learned here, not how well it would be on other data. "
        f"{len(measured)} trainings, {cpu:.1f} minutes of one core ({clock:.1f} by the clock, beside other work)."
    )


def _head(name: str, ours: Sequence[Measured]) -> list[str]:
    return [
        name,
        str(ours[0].classes),
        ", ".join(str(one.seed) for one in ours),
        ", ".join(sorted({str(one.steps) for one in ours})),
        str(ours[0].questions),
    ]


def _classified(name: str, ours: Sequence[Measured]) -> list[str]:
    scores = describe([100 * one.score for one in ours], PERCENT)
    trivial = 100 * max(one.trivial for one in ours)
    low = HOLE if scores.low is None else f"{scores.low:.1f}"
    return [*_head(name, ours), f"{trivial:.1f}", sample_text(scores), low, _verdict(ours)]


def _regressed(name: str, ours: Sequence[Measured]) -> list[str]:
    scores = describe([one.score for one in ours])
    high, half = (HOLE if value is None else f"{value:.5f}" for value in (scores.high, scores.half_width))
    head = _head(name, ours)
    trivial = min(one.trivial for one in ours)
    return [head[0], *head[2:], f"{trivial:.5f}", f"{scores.mean:.5f} ± {half}", high, _verdict(ours)]


def _verdict(ours: Sequence[Measured]) -> str:
    return {True: "yes", False: "**no**", None: HOLE}[learned(ours)]
