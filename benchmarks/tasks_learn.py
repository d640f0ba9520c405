"""Does every pretext task learn something that holds for videos it was not trained on?

    python benchmarks/tasks_learn.py [--tasks rotation,speed] [--seeds 0,1,2] [--steps N] [--report reports/tasks_learn]

What is measured: each row of `tasks_learn.yaml` is trained by its task alone, without a contrastive loss, on the
training split of the rendered data set `synthetic`, by the code that trains cells, at the size of the scale `laptop`
(8 frames of 32x32, a quarter of R3D-18's width). Backbone and head then answer, in evaluation mode, questions about the
test split, every video of which is asked about `DRAWS` times: clips, crops and answers are drawn anew from streams of
their own. Beside the share of right answers stands that of always giving the commonest one of those very questions;
for a regression the mean squared error stands beside that of always answering the mean.

Acceptance: over seeds, the lower end of the 95 % t-interval of the accuracy lies above the majority rate of every seed
(of the error, the upper end below that of the mean), or the row says why the task cannot be learned there.

Same seeds, same machine: the same numbers, but for the times. `table.csv` has a line for each row and seed, and
`table.md` follows from it and from `tasks_learn.yaml`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from figures import Figure, print_figures
from tasks_learn_report import Measured, render, write_csv
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.load import resolve_cell
from raysl.config.tree import expand, merge
from raysl.config.yaml_reader import Origin, Tree, read_tree
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.objectives.objective import Objective
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.training.loop import Run
from raysl.training.precision import resolve_precision
from raysl.training.threads import cpu_threads
from raysl.training.unreadable import Unreadable
from raysl.views.batch import Batch
from raysl.views.loader import PretrainingLoader

SETTINGS = Path(__file__).with_suffix(".yaml")
DRAWS = 2
"""Questions about each test video, or twice as many where a task asks about both clips of the pair."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """One line of the report. Attributes: tree: a cell's. note: why the row is as it is, or None."""

    name: str
    tree: Tree
    note: str | None

    def cell(self, seed: int, steps: int | None = None) -> CellConfig:
        """``steps`` in the place of the row's own."""
        change: dict[str, Any] = {"training.seed": seed} | ({} if steps is None else {"training.steps": steps})
        return resolve_cell(merge(self.tree, expand(change, {(): Origin("tasks_learn.py")})))

    @property
    def task(self) -> str:
        (task,) = self.cell(0).objective.pretext
        return task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="rotation alone, one seed, and nothing is written")
    parser.add_argument("--tasks", help="names of pretext tasks, with commas; default: all of tasks_learn.yaml")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, help="in the place of each row's own")
    parser.add_argument("--report", type=Path, default=Path("reports/tasks_learn"))
    given = parser.parse_args()
    rows = read_rows()
    if given.quick:
        given.tasks, given.seeds = given.tasks or "rotation", "0"
    tasks = {row.task for row in rows} if given.tasks is None else set(given.tasks.split(","))
    if unknown := tasks - {row.task for row in rows}:
        parser.error(f"no row has the tasks {sorted(unknown)}; there are {sorted({row.task for row in rows})}")
    measured: list[Measured] = []
    for row in (row for row in rows if row.task in tasks):
        for seed in map(int, given.seeds.split(",")):
            measured.append(measure(row.name, row.cell(seed, given.steps), Places.find()))
            print(measured[-1], flush=True)
    text = render(measured, {row.name: row.note for row in rows})
    if not given.quick:
        given.report.mkdir(parents=True, exist_ok=True)
        write_csv(given.report / "table.csv", measured)
        (given.report / "table.md").write_text(text, encoding="utf-8")
    print(text)
    print_figures(map(against_trivial, measured))


def against_trivial(one: Measured) -> Figure:
    """A goal of 1: better than a constant answer; rows that cannot be are explained in the report."""
    name, numbers = f"{one.row}, seed {one.seed}", (one.score, one.trivial)
    if one.classes:
        return Figure(f"{name}: accuracy vs the commonest answer", *numbers, "share", goal=1.0)
    return Figure(f"{name}: error vs the mean", *numbers, "squared", goal=1.0, better="less")


def read_rows(path: Path = SETTINGS) -> list[Row]:
    """The rows of the settings file, each laid over its ``base``."""
    document = read_tree(path)
    base = expand(document.data["base"], document.origins, ("base",))
    rows = []
    for name, row in document.data["rows"].items():
        change = {key: value for key, value in row.items() if key != "note"}
        rows.append(Row(name, merge(base, expand(change, document.origins, ("rows", name))), row.get("note")))
    return rows


def measure(name: str, cell: CellConfig, places: Places) -> Measured:
    """Trains a cell and asks about the test split.

    Raises:
        CellFailure, ConfigError: as training does.
    """
    source = open_source(cell.data, places, resize=cell.clip.resize)
    started, cpu_started = time.perf_counter(), time.process_time()
    with cpu_threads(cell):
        objective = trained(cell, source)
        asked = list(held_out(objective, cell, source))
    wrong, answers = torch.cat([one.wrong for one in asked]), torch.cat([one.answers for one in asked])
    classes = asked[0].classes
    return Measured(
        row=name,
        task=next(iter(objective.weights)),
        seed=cell.training.seed,
        steps=cell.training.steps or 0,
        batch_size=cell.training.batch_size,
        classes=classes,
        questions=len(answers),
        score=float(1 - wrong.mean() if classes else wrong.mean()),
        trivial=float(int(answers.bincount().max()) / len(answers) if classes else answers.var(correction=0)),
        cpu_seconds=round(time.process_time() - cpu_started, 1),
        seconds=round(time.perf_counter() - started, 1),
    )


def trained(cell: CellConfig, source: VideoSource) -> Objective:
    """As `raysl.training.pretrain` trains it, without a store."""
    precision = resolve_precision(cell.training.precision, CPU)
    unreadable = Unreadable(source, cell.training.max_unreadable)
    run = Run(cell, source, found=None, unreadable=unreadable, precision=precision, device=CPU, attempts=[], cores=1)
    run.train(None, None, None)
    return run.learner.objective


class Asked(NamedTuple):
    """Attributes: wrong: ``[N]``, 0 or 1, or a squared error. answers: ``[N]``, right ones. classes: 0: regression."""

    wrong: Tensor
    answers: Tensor
    classes: int


@torch.no_grad()
def held_out(objective: Objective, cell: CellConfig, source: VideoSource) -> Iterator[Asked]:
    """What the objective's only term answers about all videos of the test split, draw by draw."""
    videos = len(source.readable("test"))
    whole = cell.model_copy(update={"training": cell.training.model_copy(update={"batch_size": videos})})
    views = objective.view_names
    loader = PretrainingLoader(whole, source, view_names=views, rank=0, world_size=1, split="test")
    objective.eval()
    for draw in range(DRAWS):
        for batch in loader.epoch(draw):
            yield from _asked(objective, batch)


def _asked(objective: Objective, batch: Batch) -> Iterator[Asked]:
    (name,) = objective.weights
    term = objective.term(name)
    features = objective.reduced(objective.feature_maps(batch))[name]
    if isinstance(term, ClassificationTask):
        for logits, answers in term.questions(features, batch):
            yield Asked((logits.argmax(dim=1) != answers).double(), answers, logits.shape[1])
        return
    # Half the squared error, a mean over both clips of every video: all batches are as large, so means of it are exact.
    rates = torch.cat([batch.views[view].distortion for view in term.view_names]).double()
    yield Asked(2 * term(features, batch).loss.double().expand(len(rates)), rates, 0)


if __name__ == "__main__":
    main()
