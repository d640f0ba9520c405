"""The search that chose rows: a section of the Markdown report, and every trial as CSV."""

from __future__ import annotations

import csv
import io

from raysl.reports.input import ReportInput, Searched
from raysl.reports.text import HOLE, escaped, grid
from raysl.results.search_folder import SearchTrial, Value

FIELDS = ("number", "status", "score", "reports", "scores", "same_as", "seconds", "reason")
"""Columns of a trial; then comes one column per parameter."""
SAME = "the same as an earlier one"
ENDS = {"finished": "finished", "stopped": "stopped early", "failed": "failed"}


def search_section(source: ReportInput) -> list[str]:
    """Blocks of Markdown; none without a search."""
    searched = source.searched
    if searched is None:
        return []
    failed = [trial for trial in searched.trials if trial.status == "failed" and trial.same_as is None]
    reasons = [f"- Trial {trial.number} failed: {_reason(trial)}" for trial in failed]
    blocks = ["## Search", f"{_counts(searched)} {_choice(searched)}".rstrip()]
    blocks += [_best(searched)] if searched.best else []
    blocks += [_base(searched), _method(searched)]
    return [*blocks, "\n".join(reasons)] if reasons else blocks


def render_trials(searched: Searched) -> str:
    """One line per trial, by number. Scores after each report are separated by blanks; absent values are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*FIELDS, *searched.parameters))
    for trial in sorted(searched.trials, key=lambda trial: trial.number):
        values = (_full(trial.point[name]) if name in trial.point else "" for name in searched.parameters)
        writer.writerow((*_fields(trial), *values))
    return out.getvalue()


def _end(trial: SearchTrial) -> str:
    """Counts a repetition separately, whatever its status: nothing was trained for it."""
    return SAME if trial.same_as is not None else ENDS[trial.status]


def _counts(searched: Searched) -> str:
    """``24 of 24 trials: 22 finished, 2 failed.``; trials that have not ended are counted separately."""
    ends = [_end(trial) for trial in searched.trials if trial.ended]
    parts = [f"{ends.count(end)} {end}" for end in (*ENDS.values(), SAME) if end in ends]
    text = f"{searched.ended} of {searched.wanted} trials"
    if searched.ended > searched.wanted:
        text = f"{searched.ended} trials, where the study asks for {searched.wanted}"
    text += f": {', '.join(parts)}" if parts else ""
    going = len(searched.trials) - searched.ended
    return text + (f"; {going} more running or interrupted." if going else ".")


def _base(searched: Searched) -> str:
    """The cost of the search, and the result of the study's own configuration in it."""
    seconds = sum(trial.seconds for trial in searched.trials)
    cost = f"All trials together took {seconds / 60:.1f} minutes, each by its own clock. " if seconds else ""
    for trial in searched.trials:
        if trial.number == searched.base:
            own = f"trial {trial.number}: {_end(trial)}, {_score(trial) or 'no score'}"
            return f"{cost}The study's own configuration is {own}."
    return f"{cost}The study's own configuration is not among the trials."


def _choice(searched: Searched) -> str:
    if not searched.complete:
        return "The search is not complete, and the best are not yet chosen."
    return "" if searched.best else "None was chosen: no trial was trained to the search's end."


def _best(searched: Searched) -> str:
    trials = {trial.number: trial for trial in searched.trials}
    lines = []
    for row, number in searched.best.items():
        trial = trials[number]
        values = (escaped(_short(trial.point[name])) if name in trial.point else HOLE for name in searched.parameters)
        lines.append([escaped(row), str(number), _score(trial) or HOLE, *values])
    return grid(["row", "trial", "score in the search", *map(escaped, searched.parameters)], lines)


def _score(trial: SearchTrial) -> str:
    return "" if trial.score is None else f"{trial.score:.1f}"


def _method(searched: Searched) -> str:
    return (
        f"Scores: {escaped(searched.scored_by)}, in percent, after {searched.steps}, at seed {searched.seed}. They are "
        "of short training at one seed, and they are what the best are chosen by, so those of the best are biased "
        "upwards. Do not compare them with the numbers of the table, for which the best are trained anew, at full "
        "length and with the table's seeds. Every trial: [trials.csv](trials.csv)."
    )


def _fields(trial: SearchTrial) -> tuple[str, ...]:
    return (
        str(trial.number),
        trial.status,
        "" if trial.score is None else _number(trial.score),
        str(len(trial.scores)),
        " ".join(_number(score) for score in trial.scores),
        "" if trial.same_as is None else str(trial.same_as),
        f"{trial.seconds:.1f}",
        trial.reason,
    )


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else _full(value)


def _full(value: Value) -> str:
    """A value in the notation of a study's file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _reason(trial: SearchTrial) -> str:
    return escaped(_line(trial.reason)) or "no reason is known"


def _line(text: str) -> str:
    return " ".join(text.split())
