"""Several nodes on this machine: one that lacks the data is left out, and one goes for good."""

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


@may_mount
def test_a_node_that_lacks_the_data_is_left_out_and_is_no_cells_result(root: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)
    places: list[str | Path] = ["--storage", tmp_path / "store", "--reports", tmp_path, "--cache", tmp_path / "cache"]
    mounted = f'mount -t tmpfs none {shlex.quote(str(root))} && exec "$@"'
    empty = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]
    with (
        head({"RAY_AUTH_MODE": "disabled"}, "--num-cpus=0", "--include-dashboard=false") as on,
        node(on, "bad", "--num-cpus=1", within=empty),
        node(on, "good", "--num-cpus=1"),
    ):
        done = on.raysl("run", study, *places, "--root", f"folder={root}", "--address", on.address, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 cells done (3 worked on now), 0 failed, 0 missing" in done.stdout
    assert done.stdout.count("is left out: folder: the root <folder> is empty") == 1, done.stdout


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
