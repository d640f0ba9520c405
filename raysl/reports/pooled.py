"""A row on folds, at one seed: the mean of its parts' values, and the answers to every test video."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from raysl.reports.input import CellResult, EvaluationRecord

STATUSES = ("failed", "broken", "missing", "interrupted", "running", "done")
"""States from the worst on: a mean over folds has the state of its worst part."""


def pooled_cell(parts: Sequence[CellResult]) -> CellResult:
    """The results of a row at one seed as one: for each label the mean over the parts.

    Args:
        parts: each trained on another ``fold``; one alone is returned as it is.
    """
    if len(parts) == 1:
        return parts[0]
    worst = min(parts, key=lambda part: STATUSES.index(part.status))
    reason = f"fold {worst.fold} of {len(parts)}" + (f": {worst.reason}" if worst.reason else "")
    labels = list(dict.fromkeys(label for part in parts for label in part.evaluations))
    minutes = [part.minutes for part in parts]
    return replace(
        worst,
        fold=None,
        cell=" ".join(part.cell for part in parts if part.cell),
        reason="" if worst.status == "done" else reason,
        evaluations={
            label: pooled_record({f"fold {part.fold}": part.evaluations.get(label) for part in parts})
            for label in labels
        },
        unreadable=max(part.unreadable for part in parts),
        missing=max(part.missing for part in parts),
        too_short=max(part.too_short for part in parts),
        left_out=max(part.left_out for part in parts),
        collapsed=", ".join(f"fold {part.fold}: {part.collapsed}" for part in parts if part.collapsed),
        waiting={
            label: f"fold {part.fold}: {said}" for part in reversed(parts) for label, said in part.waiting.items()
        },
        minutes=None if None in minutes else math.fsum(one for one in minutes if one is not None),
        clips_per_second=None,
        parts=tuple(parts),
    )


def pooled_record(parts: Mapping[str, EvaluationRecord | None]) -> EvaluationRecord | None:
    """Evaluations of one label as one: the mean of each metric; None if one is missing, failed if one failed.

    Args:
        parts: by their names in messages (``fold 2``).
    """
    found = {name: record for name, record in parts.items() if record is not None}
    if len(found) < len(parts):
        return None
    records = list(found.values())
    if len(records) == 1:
        return records[0]
    name = " ".join(record.name for record in records)
    failures = [f"{part}: {record.failure}" for part, record in found.items() if record.failure]
    if failures:
        return EvaluationRecord(name, failure="; ".join(failures))
    common = [metric for metric in records[0].metrics if all(metric in record.metrics for record in records)]
    return EvaluationRecord(
        name,
        headline=records[0].headline,
        metrics={metric: math.fsum(record.metrics[metric] for record in records) / len(records) for metric in common},
        correct=_answers(records),
        left_out=_left_out(records),
        recordings={video: name for record in records for video, name in record.recordings.items()},
        answers=_only_answers(records),
        classes=records[0].classes,
        details=records[0].details,
        snapshot=records[0].snapshot,
    )


def _answers(records: Sequence[EvaluationRecord]) -> dict[str, bool | Fraction]:
    """For each video whether it was right; the share of right answers, if several backbones answered."""
    given: dict[str, list[bool | Fraction]] = defaultdict(list)
    for record in records:
        for video, right in record.correct.items():
            given[video].append(right)
    return {
        video: right[0] if len(right) == 1 else sum(map(Fraction, right), Fraction()) / len(right)
        for video, right in given.items()
    }


def _only_answers(records: Sequence[EvaluationRecord]) -> dict[str, tuple[int, int | None]]:
    """None if several backbones answered for one video."""
    found = {video: answer for record in records for video, answer in record.answers.items()}
    return found if len(found) == sum(len(record.answers) for record in records) else {}


def _left_out(records: Sequence[EvaluationRecord]) -> dict[str, int]:
    """Test videos of all folds, each fold once; of the rest, which folds share, the most of any fold."""
    different = {record.name: record for record in records}.values()
    counts: dict[str, int] = {}
    for what in dict.fromkeys(what for record in different for what in record.left_out):
        own = [record.left_out.get(what, 0) for record in different]
        counts[what] = sum(own) if what.endswith(" test") else max(own)
    return counts
