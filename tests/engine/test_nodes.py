"""Several nodes on this machine: some lack the data, one goes for good, and a driver plans from the store."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from raysl import results
from tests.data.rendered import write_set
from tests.engine.heads import ROOT, head, node
from tests.engine.interrupted import go
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.test_machine import may_mount

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]

STUDY = """
title: "Two nodes"
base: recipe
data: {name: folder}
rows: {one: {}, two: {objective.contrastive.temperature: 0.2}, three: {objective.contrastive.temperature: 0.3}}
seeds: [0]
evaluations: [retrieval/folder]
"""
PAIR = """
title: "A pair of workers"
base: recipe
data: {name: folder}
rows: {pair: {training.workers: 2, objective.contrastive.temperature: 0.4}}
seeds: [0]
evaluations: [retrieval/folder]
"""

RUN = """
import sys
from pathlib import Path
from raysl import results
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.work.events import Note
from raysl.work.run_cells import RunOptions
from tests.engine.interrupted import waiting
folder, on = Path(sys.argv[1]), RunOptions(address=sys.argv[2])
places = Places({}, folder / "cache", cache_gigabytes=0.1)
store = results.open(folder / "store")
print(run_on_cluster(waiting(folder, 2), store, places, on, on_event=lambda one: isinstance(one, Note) and print(one)))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("left", "right"):
        write_set(tmp_path / "videos" / name, videos=8)
    return tmp_path / "videos"


def hidden(root: Path) -> list[str]:
    """Before a command: its machine has an empty folder there."""
    mounted = f'mount -t tmpfs none {shlex.quote(str(root))} && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]


LEFT_OUT = "is left out: folder: the root <folder> is empty"


@may_mount
def test_nodes_that_lack_the_data_are_left_out_and_the_driver_needs_none_of_it(root: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)
    pair = write_study(tmp_path, PAIR, SMALL_RECIPE, name="pair")
    store: list[str | Path] = ["--storage", tmp_path / "store", "--cache", tmp_path / "cache"]
    places = [*store, "--root", f"folder={root}"]
    with head({"RAY_AUTH_MODE": "disabled"}, "--num-cpus=0", "--include-dashboard=false") as on:
        there: list[str | Path] = ["--reports", tmp_path, "--address", on.address]
        with (
            node(on, "bad", "--num-cpus=1", '--resources={"room": 4}', within=hidden(root)),
            node(on, "good", "--num-cpus=1", '--resources={"room": 5}'),
        ):
            done = on.raysl("run", study, *places, *there, cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "3 cells done (3 worked on now), 0 failed, 0 missing" in done.stdout
            assert done.stdout.count(LEFT_OUT) == 1, done.stdout

            # Ray places each worker on the node that has most room left: the trial and rank 0 on good, rank 1 on bad.
            run = ["run", pair, *places, *there]
            with node(on, "other", "--num-cpus=1", '--resources={"room": 2}'):
                done = on.raysl(*run, "--resource", "room=2", cwd=tmp_path, within=hidden(root))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "data set folder: it is not on this machine; planned as an earlier run read it" in done.stdout
        assert "waiting for a node" not in done.stdout, "nobody is asked to read it"
        assert "1 cells done (1 worked on now), 0 failed, 0 missing" in done.stdout
        assert done.stdout.count(LEFT_OUT) == 1, done.stdout

        # From here on there is no node for work.
        done = on.raysl(*run, cwd=tmp_path, within=hidden(root))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 cells done (0 worked on now), 0 failed, 0 missing" in done.stdout
        done = on.raysl("run", study, "--set", "training.steps=5", *store, *there, cwd=tmp_path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "0 cells done (0 worked on now), 0 failed, 3 missing" in done.stdout, (
            "no node can have it: none is asked"
        )
        assert "no root was given for the data set 'folder': pass --root folder=PATH" in done.stdout
        table = (tmp_path / "pair" / "table.csv").read_bytes()
        assert on.raysl("plan", pair, "--cost", *store, cwd=tmp_path).returncode == 0
        shown = on.raysl("status", pair, *places, cwd=tmp_path, within=hidden(root))
        assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "1 done"), shown
        again = on.raysl("report", pair, *places, "--reports", tmp_path / "again", cwd=tmp_path, within=hidden(root))
        assert again.returncode == 0, again.stderr
        assert (tmp_path / "again" / "pair" / "table.csv").read_bytes() == table


def test_a_cell_goes_on_with_fewer_workers_where_a_node_is_gone_for_good(tmp_path: Path) -> None:
    """On a cluster without an autoscaler; with one, it waits for another node."""
    store = results.open(tmp_path / "store")
    with (
        head({"RAY_AUTH_MODE": "disabled"}, "--num-cpus=0", "--include-dashboard=false") as on,
        node(on, "stays", "--num-cpus=1"),
        ExitStack() as goes,
    ):
        goes.enter_context(node(on, "goes", "--num-cpus=1"))
        command = [sys.executable, "-c", RUN, str(tmp_path), on.address]
        run = subprocess.Popen(
            command, cwd=ROOT, env=on.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            while not any(cell.latest_checkpoint() for cell in store.cells()):
                assert run.poll() is None, run.communicate()
                time.sleep(0.2)
            goes.close()
            go(tmp_path)
            said, _ = run.communicate(timeout=200)
        finally:
            run.kill()
    assert "done=('tiny/waiting/seed0',)" in said, said
    assert "tiny/waiting/seed0: a node is gone; goes on with 1 of 2 workers" in said, said
    (cell,) = store.cells()
    provenance = cell.provenance()
    assert provenance is not None
    assert [(one["from_step"], one["workers"]) for one in provenance["attempts"]] == [(0, 2), (2, 1)]
