"""Small inputs of figures: a study that has something for every figure, and those that have next to nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from raysl.reports import CellResult, Column, EvaluationRecord, ReferenceLine, ReportInput, RowInput, Searched
from raysl.reports.axes import Axis, Place
from raysl.reports.figure import FigureInput, plain
from raysl.reports.seen_clips import SeenClip, SeenVideo
from raysl.reports.table import build_table
from raysl.results import SearchTrial
from tests.reports.examples import example
from tests.reports.test_ordering import TOP1, report, row

NASTY = (
    "<script>alert('1')</script>",
    "a_b & c|d, $\\alpha^{2$ and 100 %",
    "two\nlines\tand \x1b[31m a colour",
    "تعلّم متباين",
    "emoji 🎬👩‍💻 and 漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    "x" * 400,
    "long words of a name, again and again, " * 6,
    "_hidden",
    "\udce9 no text",
)
"""Names of rows as a person may write them; matplotlib leaves a label out that begins with an underscore."""


DETAILS = {
    "examples": [
        {"query": "jump/a.avi", "class": "jump", "nearest": ["jump/b.avi", "run/c.avi"], "classes": ["jump", "run"]},
        {"query": "run/漢字.avi", "class": "run", "nearest": ["run/c.avi", "jump/b.avi"], "classes": ["run", "jump"]},
    ],
    "band": {"within": [50.0, 99.0], "distance@0.5": [80.0, 95.0], "distance@1": [60.0, 75.0]},
    "attention": [
        {
            "video": "jump/a.avi",
            "map": [[1.0, 0.2], [0.1, 0.0]],
            "change": [[0.5, 1.0], [0.0, 0.0]],
            "correlation": 40.0,
        },
        {"video": "run/漢字.avi", "map": [[0.3, 1.0]] * 2, "change": [[0.0, 1.0]] * 2, "correlation": 100.0},
    ],
    "class_activation": [
        {
            "video": "run/漢字.avi",
            "map": [[1.0, 0.0]] * 2,
            "change": [[0.0, 1.0]] * 2,
            "correlation": -100.0,
            "predicted": 1,
        },
    ],
    "motion_difference": [
        {
            "video": "run/漢字.avi",
            "difference": 2.0,
            "motion": 1.0,
            "cases": ["reverse 0", "reverse 1"],
            "flow": [[[[1.0, 2.0]] * 2, [[0.0, 0.0]] * 2], [[[-1.0, -2.0]] * 2, [[0.0, 0.0]] * 2]],
        },
    ],
    "timesteps": [[100.0, 60.0], [60.0, 100.0]],
    "map": {"path": ["v0", "v2", "of another list"], "x": [0.5, -1.5, 9.0], "y": [2.0, 3.0, 9.0], "perplexity": 1.0},
    "histogram": {"edges": [-100.0, 0.0, 50.0, 100.0], "within": [0, 1, 3], "between": [2, 0, 2]},
}
"""As retrieval, similarity, timesteps, tsne, attention and others record them; no evaluation has all."""


def picture(label: str, snapshot: str, path: str) -> NDArray[np.uint8] | None:
    """Of the videos of one class alone."""
    return np.full((4, 6, 3), 200, np.uint8) if path.startswith("jump") else None


def seen(row: str) -> SeenVideo | None:
    """Rows r0 and r1 see the same, r2 something else, others nothing."""
    if row not in ("r0", "r1", "r2"):
        return None
    decoded, brightness = np.full((2, 4, 6, 3), 100, np.uint8), 200 if row == "r2" else 150
    augmented, box = np.full((2, 4, 4, 3), brightness, np.uint8), (0.0, 0.25, 1.0, 0.5)
    clips = (SeenClip("query", (3, 5), decoded, augmented, box), SeenClip("key", (3, 5), decoded, augmented, box))
    return SeenVideo("jump/漢字.avi", 0, clips)


def curves(rows: ReportInput, steps: int = 4) -> pd.DataFrame:
    """As `raysl.reports.curves.read_curves` gives them."""
    lines = []
    for number, one in enumerate(rows.rows):
        for cell in one.cells:
            for step in range(1, steps + 1):
                values = {
                    "loss/total": 3.0 - 0.2 * step - 0.1 * number,
                    "loss/contrastive": 2.5 - 0.2 * step,
                    "optimizer/learning_rate": 0.1 / step,
                    "optimizer/weight_penalty": 0.02,
                    "metric/contrastive_entropy": 2.0 / step,
                    "metric/speed_accuracy": 0.5 + 0.1 * step + 0.01 * cell.seed,
                    "metric/speed_majority": 0.5,
                }
                lines += [(plain(one.name), cell.seed, name, step, 1, value) for name, value in values.items()]
    found = pd.DataFrame(lines, columns=["row", "seed", "name", "step", "epoch", "value"])
    found["row"] = pd.Categorical(found["row"], categories=[plain(one.name) for one in rows.rows])
    return found


def downstream(rows: ReportInput, *labels: str) -> pd.DataFrame:
    """As `raysl.reports.curves.read_downstream` gives them."""
    found = curves(rows)
    found = found[found["name"] == "metric/speed_accuracy"].assign(name="metric/accuracy")
    return pd.concat([found.assign(label=label) for label in labels], ignore_index=True)


def record(value: float, predicted: tuple[int, ...] = (0, 1, 1, 0)) -> EvaluationRecord:
    """Two videos of class 0 and two of class 1."""
    labels = (0, 0, 1, 1)
    answers = {f"v{video}": pair for video, pair in enumerate(zip(labels, predicted, strict=True))}
    correct = {video: label == guess for video, (label, guess) in answers.items()}
    metrics = {"top1": value, "distance@0.5": 90.0, "distance@1": 70.0}
    return EvaluationRecord(
        "e", "top1", metrics, correct, answers=answers, classes=("jump", "run"), details=DETAILS, snapshot="s"
    )


def answered(rows: tuple[RowInput, ...]) -> tuple[RowInput, ...]:
    """The same rows with stored predictions."""
    return tuple(
        RowInput(
            one.name,
            tuple(
                replace(
                    cell,
                    evaluations={
                        label: found and replace(record(found.metrics["top1"]), name=found.name)
                        for label, found in cell.evaluations.items()
                    },
                )
                for cell in one.cells
            ),
        )
        for one in rows
    )


def searched() -> Searched:
    """Twelve trials, one of which has a parameter that the others lack."""
    trials = tuple(
        SearchTrial(
            number,
            {"temperature": 0.01 * 2**number, "framework": ("moco", "simclr")[number % 2], "shuffle": number % 3 == 0}
            | ({"bank": 64} if number == 5 else {}),
            f"c{number}",
            "stopped" if number == 7 else "finished",
            (20.0 + 3 * number + 10 * (number % 2),),
        )
        for number in range(12)
    )
    return Searched(trials, 12, ("framework", "temperature", "bank", "shuffle"), {"r1": 11}, "kNN", 0, "5 epochs")


def everything() -> FigureInput:
    """A grid of two by two with a published table, a search, curves and predictions."""
    values = {"r0": (10.0, 11.0, 12.0), "r1": (30.0, 31.2, 31.9), "r2": (30.1, 31.0, 32.0), "r3": (20.0, 21.1, 22.2)}
    source = report(*(row(name, *found) for name, found in values.items()))
    source = replace(
        source,
        rows=answered(source.rows),
        baseline="r1",
        searched=searched(),
        references=(ReferenceLine("chance", {TOP1.key: 50.0}),),
    )
    places = {f"r{layers}": Place(f"width {layers % 2}", float(layers // 2 + 1)) for layers in range(4)}
    levels = {f"r{layers}": {"width": f"width {layers % 2}", "layers": f"layers {layers // 2}"} for layers in range(4)}
    axes = (Axis("layers", places, {}),)
    behind = downstream(source, TOP1.evaluation)
    return FigureInput(build_table(source), curves(source), axes, levels, picture, behind, seen)


def named(*names: str, values: tuple[float, ...] = (10.0, 20.0, 40.0)) -> FigureInput:
    """Rows of these names with these values over seeds."""
    rows = answered(tuple(row(name, *values) for name in names))
    source = ReportInput("t", rows, (TOP1,), baseline=names[0])
    places = {name: Place(name, float(number)) for number, name in enumerate(names)}
    levels = {name: {names[-1]: name, "other": name} for name in names}
    return FigureInput(build_table(source), curves(source), (Axis(names[0], places, {}),), levels)


def holes() -> FigureInput:
    """Rows that are partly failed, empty, and the same as another; a column without any result."""
    source = example()
    absent = Column("finetune/ucf", "")
    failed = tuple(CellResult(seed, f"f{seed}", "failed", "the loss is NaN") for seed in range(3))
    rows = (*source.rows, RowInput("failed", failed))
    source = replace(source, rows=rows, columns=(*source.columns, absent))
    levels = {one.name: {"a": one.name[0], "b": one.name[1]} for one in rows}
    places = {one.name: Place("", float(number)) for number, one in enumerate(rows)}
    return FigureInput(build_table(source), axes=(Axis("n", places, {}),), levels=levels)


def unlike_baseline(of_baseline: tuple[CellResult, ...] | None) -> FigureInput:
    """Rows with predictions beside a baseline that has these cells; None: there is no baseline."""
    rows = answered((row("a", 10.0, 20.0), row("b", 30.0, 40.0)))
    if of_baseline is not None:
        rows = (RowInput("base", of_baseline), *rows)
    source = ReportInput("t", rows, (TOP1,), baseline=None if of_baseline is None else "base")
    return FigureInput(build_table(source), curves(source))


INPUTS = {
    "everything": everything,
    "nothing": lambda: FigureInput(build_table(ReportInput("t", (), (TOP1,)))),
    "one row at one seed": lambda: named("only", values=(10.0,)),
    "equal values": lambda: named("a", "b", values=(50.0, 50.0, 50.0)),
    "holes": holes,
    "no baseline": lambda: unlike_baseline(None),
    "a baseline that is not computed yet": lambda: unlike_baseline((CellResult(0, "c", "missing"),)),
    "nasty names": lambda: named(*NASTY),
}
