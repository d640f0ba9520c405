"""Several nodes on this machine: some lack the data, one goes for good, and a driver plans from the store."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from raysl import results
from raysl.data.places import Places
from raysl.results import Store
from raysl.work.here import Here
from raysl.work.run_cells import run_cells
from tests.data.rendered import write_set
from tests.engine.heads import Head, head, node
from tests.engine.interrupted import go, waiting
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.test_machine import may_mount

pytestmark = [
    pytest.mark.ray,
    pytest.mark.cluster,
    pytest.mark.slow,
    may_mount,
]

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
HUNT = """
title: "A search"
base: recipe
data: {name: folder}
design: search
axes: {objective.contrastive.temperature: {loguniform: [0.05, 1.0]}}
search: {trials: 2, length: 0.5, reports: 1, best: 1, knn: {neighbors: 3}}
rows: {one: {}}
seeds: [0]
evaluations: [retrieval/folder]
"""


LEFT_OUT = "is left out: folder: the root <folder> is empty"

STEPS = 100

GROUPS = """
import json
import ray
from ray.util import placement_group_table
ray.init(address="{address}", log_to_driver=False)
kinds = {{one["NodeID"]: one["Labels"].get("kind") for one in ray.nodes()}}
groups = [one for one in placement_group_table().values() if one["state"] != "REMOVED"]
print(json.dumps(sorted([one["state"], one["bundles"], list(map(kinds.get, one["bundles_to_node_id"].values()))]
    for one in groups)))
"""
"""State of what each trial asked for, its bundles, and the kind of the nodes that they stand on."""


@dataclass
class Nodes:
    """A head without CPUs, and two nodes, one of which has an empty folder in the root's place.

    The tests of this module go on from each other, in their order.

    Attributes:
        started: ends the nodes.
    """

    on: Head
    folder: Path
    started: ExitStack

    @property
    def root(self) -> Path:
        return self.folder / "videos"

    @property
    def hidden(self) -> list[str]:
        """Before a command: its machine has an empty folder in the root's place."""
        mounted = f'mount -t tmpfs none {shlex.quote(str(self.root))} && exec "$@"'
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]

    def raysl(
        self, command: str, study: Path, *options: str | Path, hidden: bool = False, rooted: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """A command on the head, on which the root may be hidden, or not be given."""
        roots = ["--root", f"folder={self.root}"] if rooted else []
        places: list[str | Path] = ["--storage", self.folder / "store", "--cache", self.folder / "cache", *roots]
        if command == "run":
            places += ["--reports", self.folder, "--address", self.on.address]
        within = self.hidden if hidden else ()
        return self.on.raysl(command, study, *places, *options, cwd=self.folder, within=within)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("nodes")
    for name in ("left", "right"):
        write_set(folder / "videos" / name, videos=8)
    with head({"RAY_AUTH_MODE": "disabled"}, "--num-cpus=0", "--include-dashboard=false") as on, ExitStack() as started:
        found = Nodes(on, folder, started)
        started.enter_context(node(on, "bad", "--num-cpus=1", '--resources={"room": 4}', within=found.hidden))
        started.enter_context(node(on, "good", "--num-cpus=1", '--resources={"room": 5}'))
        yield found


def test_a_node_that_lacks_the_data_is_left_out_and_is_no_cells_result(nodes: Nodes) -> None:
    done = nodes.raysl("run", write_study(nodes.folder, STUDY, SMALL_RECIPE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 cells done (3 worked on now), 0 failed, 0 missing" in done.stdout
    assert done.stdout.count(LEFT_OUT) == 1, done.stdout


@pytest.mark.long
def test_nor_is_it_the_result_of_a_trial(nodes: Nodes) -> None:
    done = nodes.raysl("run", write_study(nodes.folder, HUNT, SMALL_RECIPE, name="hunt"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.index(LEFT_OUT) < done.stdout.index("2/2 trials: "), "one of them is tried again"
    (found,) = results.open(nodes.folder / "store").place.folders("searches")
    trials = results.open(nodes.folder / "store").search(found).trials()
    assert [trial.status for trial in trials] == ["finished", "finished"]


@pytest.mark.long
def test_of_a_pair_the_node_that_lacks_the_data_is_left_out_and_the_driver_needs_none_of_it(nodes: Nodes) -> None:
    pair = write_study(nodes.folder, PAIR, SMALL_RECIPE, name="pair")
    # Ray places each worker on the node that has most room left: the trial and rank 0 on good, rank 1 on bad.
    with node(nodes.on, "other", "--num-cpus=1", '--resources={"room": 2}'):
        done = nodes.raysl("run", pair, "--resource", "room=2", hidden=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data set folder: it is not on this machine; planned as an earlier run read it" in done.stdout
    assert "waiting for a node" not in done.stdout, "nobody is asked to read it"
    assert "1 cells done (1 worked on now), 0 failed, 0 missing" in done.stdout
    assert done.stdout.count(LEFT_OUT) == 1, done.stdout


def test_what_is_done_needs_neither_nodes_nor_data(nodes: Nodes) -> None:
    nodes.started.close()
    study, table = nodes.folder / "study.yaml", (nodes.folder / "study" / "table.csv").read_bytes()
    done = nodes.raysl("run", study, hidden=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 cells done (0 worked on now), 0 failed, 0 missing" in done.stdout
    assert nodes.raysl("plan", study, "--cost", rooted=False).returncode == 0
    shown = nodes.raysl("status", study, hidden=True)
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "3 done"), shown
    again = nodes.raysl("report", study, "--reports", nodes.folder / "again", hidden=True)
    assert again.returncode == 0, again.stderr
    assert (nodes.folder / "again" / "study" / "table.csv").read_bytes() == table


def test_data_that_no_root_is_given_for_is_said_at_once(nodes: Nodes) -> None:
    done = nodes.raysl("run", nodes.folder / "study.yaml", "--set", "training.steps=5", rooted=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 cells done (0 worked on now), 0 failed, 3 missing" in done.stdout, "no node can have it: none is asked"
    assert "no root was given for the data set 'folder': pass --root folder=PATH" in done.stdout


@pytest.mark.long
def test_a_cell_goes_on_with_fewer_workers_where_a_node_is_gone_and_with_all_once_one_is_back(
    nodes: Nodes, tmp_path: Path
) -> None:
    """On a cluster without an autoscaler; with one, it waits for another node."""
    nodes.started.close()
    cells = waiting(tmp_path, workers=2, steps=STEPS)
    store = results.open(tmp_path / "store")
    with node(nodes.on, "stays", "--num-cpus=1"), ExitStack() as goes:
        goes.enter_context(node(nodes.on, "goes", "--num-cpus=1"))
        with nodes.on.running(*run_in(tmp_path), "--address", nodes.on.address) as run:
            run.until(lambda: saved(store) == [2])
            goes.close()
            run.until_said("tiny/waiting/seed0: a node is gone; continues with 1 of 2 workers")
            run.until(lambda: saved(store) == [4])
            goes.enter_context(node(nodes.on, "back", "--num-cpus=1"))
            run.until_said("tiny/waiting/seed0: there is room for 2 workers again")
            go(tmp_path)
            status, log = run.ended()
    assert status == 0, log
    assert "tiny/waiting/seed0: nodes are back; continues with 2 of 2 workers" in log
    (cell,) = store.cells()
    provenance, curves = cell.provenance(), cell.curves()
    assert provenance is not None
    attempts = [(one["from_step"], one["workers"]) for one in provenance["attempts"]]
    assert attempts == [(0, 2), (2, 1), (attempts[-1][0], 2)]
    assert 4 < attempts[-1][0] < STEPS
    undisturbed, places = results.open(tmp_path / "alone"), Places({}, tmp_path / "cache", cache_gigabytes=0.1)
    run_cells(cells, undisturbed, places, Here(places))
    (alone,) = undisturbed.cells()
    expected = alone.curves()
    assert curves is not None
    assert expected is not None
    assert curves["step"].tolist() == list(range(1, STEPS + 1))
    assert curves["loss/total"].tolist() == pytest.approx(expected["loss/total"].tolist(), rel=1e-4)
    tables = [[one["metrics"] for one in folder.evaluations().values()] for folder in (cell, alone)]
    assert tables[0] == tables[1] != []


@pytest.mark.long
def test_cells_that_wait_for_a_node_that_is_gone_have_fewer_workers_too(nodes: Nodes, tmp_path: Path) -> None:
    nodes.started.close()
    waiting(tmp_path, workers=2, rows=2)
    store = results.open(tmp_path / "store")
    with node(nodes.on, "stays", "--num-cpus=1"), ExitStack() as goes:
        goes.enter_context(node(nodes.on, "goes", "--num-cpus=1"))
        with nodes.on.running(*run_in(tmp_path), "--address", nodes.on.address) as run:
            run.until(lambda: saved(store) == [2])
            goes.close()
            run.until_said("tiny/waiting/seed0: a node is gone; continues with 1 of 2 workers")
            go(tmp_path)
            status, log = run.ended()
    assert status == 0, log
    assert "1 CPU cell waits for nodes; the cluster has 1 of 2 CPUs" in log
    assert "tiny/waiting-1/seed0: a node is gone; continues with 1 of 2 workers" in log
    assert "2 cells done (2 worked on now), 0 failed, 0 missing" in log


@pytest.mark.long
def test_shares_of_a_gpu_and_labels_say_where_cells_run(nodes: Nodes, tmp_path: Path) -> None:
    """Ray counts GPUs that it is told of; cells on them find none, and compute on CPUs."""
    nodes.started.close()
    waiting(tmp_path, rows=3)
    store, card = results.open(tmp_path / "store"), ("--num-cpus=3", "--num-gpus=1")
    run = [*run_in(tmp_path), "--address", nodes.on.address, "--device", "gpu", "--gpus-per-worker", "0.5"]
    with node(nodes.on, "fast", *card, "--labels=kind=fast"), node(nodes.on, "slow", *card, "--labels=kind=slow"):
        refused = nodes.on.raysl(*run, "--node-label", "kind=faster", cwd=tmp_path)
        assert refused.returncode == 1
        assert "no node has the labels kind=faster: there is kind=fast, kind=slow" in refused.stderr
        with nodes.on.running(*run, "--node-label", "kind=fast") as under:
            under.until(lambda: saved(store) == [2, 2])
            groups = json.loads(nodes.on.python(GROUPS.format(address=nodes.on.address)).stdout)
            go(tmp_path)
            status, log = under.ended()
    share = {"0": {"CPU": 1.0, "GPU": 0.5}}
    assert groups == [["CREATED", share, ["fast"]], ["CREATED", share, ["fast"]], ["PENDING", share, [None]]]
    assert status == 0, log
    assert "3 cells done (3 worked on now), 0 failed, 0 missing" in log


def run_in(folder: Path) -> list[str | Path]:
    """`raysl run` of the study that `waiting` wrote."""
    stored: list[str | Path] = ["--storage", folder / "store", "--reports", folder, "--cache", folder / "cache"]
    return ["run", folder / "tiny.yaml", *stored]


def saved(store: Store) -> list[int]:
    """The step of each cell's newest checkpoint."""
    found = [cell.latest_checkpoint() for cell in store.cells()]
    return [one[0] for one in found if one is not None]
