"""What Ray's own tools show of a run: trials by row and factors, a kept experiment folder, metrics."""

from __future__ import annotations

import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from ray import tune

from raysl import results
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.engine.trial import name_of
from raysl.engine.trials import parameters
from raysl.work.run_cells import RunOptions
from tests.cells import tiny_cell
from tests.work.plans import plan

TEMPERATURE = "objective.contrastive.temperature"


def test_a_trial_is_known_by_its_row_and_shows_the_factors() -> None:
    cell = Cell(tiny_cell(), (), "study", "warm/er", {TEMPERATURE: 0.2})
    fold = replace(cell, config=tiny_cell({"data": {"name": "folder", "split": "folds", "folds": 2, "fold": 2}}))
    shown = parameters([cell, fold, replace(cell, row="other"), replace(cell, row="other", factors={})])
    assert shown[0] == {"study": "study", "row": "warm/er", "seed": 0, TEMPERATURE: 0.2}
    assert [name_of(one) for one in shown[:2]] == [cell.title, fold.title]
    assert fold.title.endswith("/fold2")
    assert [name_of(one) for one in shown[2:]] == [f"study/other/seed0 {cell.key}"] * 2


@pytest.mark.ray
@pytest.mark.slow
def test_tunes_and_rays_tools_read_a_run(tmp_path: Path, places: Places, local_ray: None) -> None:
    rows = {"plain": "{training.steps: 60}", "warm": f"{{training.steps: 60, {TEMPERATURE}: 0.2}}"}
    work = plan(tmp_path, rows)
    with Scraped() as scraped:
        outcome = run_on_cluster(
            work, results.open(tmp_path / "store"), places, RunOptions(tune_dir=str(tmp_path / "tune"))
        )
    assert outcome.done == ("tiny/plain/seed0", "tiny/warm/seed0")
    (folder,) = (tmp_path / "tune").iterdir()
    frame = tune.ExperimentAnalysis(str(folder)).dataframe().set_index("config/cell/row")
    assert frame[f"config/cell/{TEMPERATURE}"].to_dict() == {"plain": 0.1, "warm": 0.2}
    assert set(frame["config/cell/seed"]) == {0}
    assert frame["ended"].tolist() == [1.0, 1.0]
    assert len(list(folder.glob("*/progress.csv"))) == len(list(folder.glob("*/result.json"))) == 2
    for row in ("plain", "warm"):
        for name in ("raysl_loss", "raysl_clips_per_second", "raysl_data_wait_share"):
            lines = [line for line in scraped.lines if name in line and f'row="{row}"' in line]
            assert lines, f"{name} of {row} is not among {sorted(scraped.lines)}"
            assert all('study="tiny"' in line and 'seed="0"' in line for line in lines)


class Scraped:
    """What the metrics endpoint of this node says of raysl in the body, as Prometheus would read it."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Scraped:
        import ray

        (node,) = ray.nodes()
        self._address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            with urllib.request.urlopen(self._address, timeout=10) as answer:
                text = answer.read().decode()
            self.lines |= {line for line in text.splitlines() if "raysl_" in line and not line.startswith("#")}
