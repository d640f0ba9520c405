"""Results of the folds of one row at one seed, as the one result that a table shows: the mean over them."""

from __future__ import annotations

from collections.abc import Sequence

from raysl.reports.input import CellResult, EvaluationRecord


def averaged_record(records: Sequence[EvaluationRecord | None]) -> EvaluationRecord | None:
    """Mean of each metric over folds, with the test videos of all of them; None where a fold has no result.

    A video that several folds answer (a backbone of each fold, tested on another set) counts with the first fold's
    answer, so that a test over videos has it once a seed. One record is itself.
    """
    known = [record for record in records if record is not None]
    if len(known) < len(records):
        return None
    if len(known) == 1:
        return known[0]
    name = " ".join(record.name for record in known)
    failures = [f"fold {number}: {record.failure}" for number, record in enumerate(known, 1) if record.failure]
    if failures:
        return EvaluationRecord(name, failure="; ".join(failures))
    metrics = [metric for metric in known[0].metrics if all(metric in record.metrics for record in known)]
    correct: dict[str, bool] = {}
    left_out: dict[str, int] = {}
    for record in known:
        correct = {**record.correct, **correct}
        left_out |= {what: left_out.get(what, 0) + count for what, count in record.left_out.items()}
    return EvaluationRecord(
        name,
        headline=known[0].headline,
        metrics={metric: sum(record.metrics[metric] for record in known) / len(known) for metric in metrics},
        correct=correct,
        left_out=left_out,
    )


def averaged(parts: Sequence[CellResult]) -> CellResult:
    """One result of a row at one seed, of its cells: done where all of them are."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    open_parts = [part for part in parts if part.status != "done"]
    waiting = {
        label: f"fold {part.part}: {reason}" for part in reversed(parts) for label, reason in part.waiting.items()
    }
    return CellResult(
        seed=first.seed,
        cell=" ".join(part.cell for part in parts),
        status=open_parts[0].status if open_parts else "done",
        reason="; ".join(f"fold {part.part} {part.status}: {part.reason}".removesuffix(": ") for part in open_parts),
        evaluations={
            label: averaged_record([part.evaluations.get(label) for part in parts]) for label in first.evaluations
        },
        unreadable=max(part.unreadable for part in parts),
        missing=max(part.missing for part in parts),
        too_short=max(part.too_short for part in parts),
        left_out=max(part.left_out for part in parts),
        minutes=sum(part.minutes or 0.0 for part in parts),
        clips_per_second=first.clips_per_second,
        commit=first.commit,
        dirty=any(part.dirty for part in parts),
        waiting=waiting,
        parts=tuple(parts),
    )
