"""Several nodes on this machine: one that lacks the data is left out, and its cells are computed on another."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.data.rendered import write_set
from tests.engine.heads import head, node
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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("left", "right"):
        write_set(tmp_path / "videos" / name, videos=8)
    return tmp_path / "videos"


@may_mount
def test_a_node_that_lacks_the_data_is_left_out_and_is_no_cells_result(root: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)
    places = ["--storage", tmp_path / "store", "--reports", tmp_path, "--cache", tmp_path / "cache"]
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
