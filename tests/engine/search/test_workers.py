"""A search with two DDP workers a trial: the CPUs of trials that ASHA stops are free for others, and a node goes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from raysl import results
from raysl.results import SearchTrial
from tests.engine.heads import head, node
from tests.engine.search.searches import search_in, search_study

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.long, pytest.mark.slow]

TWO_WORKERS = """
training: {{workers: 2, steps: 16, checkpoint_steps: 2}}
data: {{train_per_class: 16}}
objective.contrastive: {{framework: tests.training.failing_simclr, step: 3, waits_for: {go}}}
"""


def test_two_workers_are_stopped_early_and_one_goes_on_where_a_node_is_gone(tmp_path: Path) -> None:
    """The node goes while the last trial is under work: on a cluster without an autoscaler, it goes on without it."""
    go, store, changes = tmp_path / "go", results.open(tmp_path / "store"), TWO_WORKERS.format(go=tmp_path / "go")
    search = search_study(tmp_path, 3, changes)

    def trials() -> list[SearchTrial]:
        return search_in(search, store)[1]

    go.touch()
    places: list[str | Path] = ["--storage", tmp_path / "store", "--reports", tmp_path, "--cache", tmp_path / "cache"]
    with head({"RAY_AUTH_MODE": "disabled"}, "--num-cpus=1", "--include-dashboard=false") as on, ExitStack() as goes:
        goes.enter_context(node(on, "goes", "--num-cpus=1"))
        with on.running("run", tmp_path / "hunt.yaml", *places, "--address", on.address) as run:
            run.until_said("2/3 trials: ")
            go.unlink()  # the processes of the third start meanwhile
            run.until(lambda: any(trial.number == 2 and trial.scores for trial in trials()))
            goes.close()
            run.until_said("hunt: a node is gone; trials continue with 1 of 2 workers")
            go.touch()
            status, log = run.ended(60)
    # The best row is a cell of two workers, which no node can give any more.
    assert (status, log.count("training.workers is 2, ")) == (1, 1), log
    ended = trials()
    assert [trial.number for trial in ended] == [0, 1, 2]
    assert {trial.status for trial in ended} == {"finished", "stopped"}
    assert all(len(trial.scores) < 4 for trial in ended if trial.status == "stopped")
    of_search = store.of_search(*store.place.folders("searches"))
    workers = [[attempt["workers"] for attempt in (cell.provenance() or {})["attempts"]] for cell in of_search.cells()]
    assert sorted(workers) == [[2], [2], [2, 1]]
