"""How many cells fit on a cluster, and the error where not one does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from raysl import results
from raysl.engine.cluster import Cluster, _interpreter_variables, _token_variables, cluster
from raysl.errors import RayslError
from tests.test_machine import NOEXEC, may_mount

SCRIPT = """
import ray
from raysl.engine.cluster import cluster

@ray.remote
def place():
    from raysl import results
    return results.__file__

with cluster(cpus=1) as on:
    print(on.cpus, on.own, ray.get(place.remote()))
"""


@pytest.mark.parametrize(
    ("on", "workers", "fit"),
    [
        (Cluster(2, 0, {"a": 2}, own=True), 1, 2),
        (Cluster(2, 0, {"a": 2}, own=True), 2, 1),  # our own Ray has a spare CPU for the waiting trial
        (Cluster(2, 0, {"a": 2}, own=False), 2, 0),
        (Cluster(3, 0, {"a": 3}, own=False), 2, 1),
        (Cluster(16, 4, {"a": 16}, own=False), 2, 2),
        (Cluster(16, 0, {"a": 8, "b": 8}, own=False), 5, 3),
    ],
)
def test_cells_beside_each_other(on: Cluster, workers: int, fit: int) -> None:
    assert on.at_once(workers) == fit


def test_more_workers_than_cpus_are_refused_with_what_would_fit() -> None:
    with pytest.raises(RayslError, match=r"plain/seed0: training.workers is 3.*has 2 CPUs: .*training.workers=2"):
        Cluster(2, 0, {"a": 2}, own=True).check_workers(3, "plain/seed0")
    with pytest.raises(RayslError, match=r"0.01 CPU beside them.*has 2 CPUs: .*training.workers=1"):
        Cluster(2, 0, {"a": 2}, own=False).check_workers(2, "plain/seed0")
    with pytest.raises(RayslError, match=r"a GPU of its own, but the cluster has 8 CPUs and 1 GPU"):
        Cluster(8, 1, {"a": 8}, own=False).check_workers(2, "plain/seed0")


def test_an_address_without_a_cluster_is_said() -> None:
    with pytest.raises(RayslError, match=r"no Ray cluster to join at '127.0.0.1:1'"), cluster("127.0.0.1:1"):
        pass


@pytest.mark.ray
def test_ray_is_started_with_an_empty_address_long_temporary_folders_and_above_a_checkout(tmp_path: Path) -> None:
    """In a job's folder Ray's sockets would have longer paths than the system allows; above a checkout that has results
    ``raysl.results`` would be those."""
    folder = tmp_path / "scratch" / ("a job of somebody " * 3).strip()
    folder.mkdir(parents=True)
    (tmp_path / "above" / "raysl" / "results" / "cells").mkdir(parents=True)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "RAY_ADDRESS": "", "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, script],
        env=environment,
        cwd=tmp_path / "above",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "True", str(results.__file__)]


HIDDEN = "a name that is on no path"
UV = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
LAUNCHER = f"""
import sys
sys.path[:0] = {[folder for folder in sys.path if folder]!r}
{SCRIPT}
"""


def run_in(folder: Path, command: list[str], script: str = SCRIPT, **environment: str | None) -> list[str]:
    """What a script prints that starts Ray, there."""
    (folder / "script.py").write_text(script)
    given = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    done = subprocess.run(
        [*command, str(folder / "script.py")],
        executable=sys.executable if command[0] in ("uv", HIDDEN) else None,
        env=given,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.ray
def test_below_uv_run_workers_are_started_with_the_interpreter_that_runs(tmp_path: Path) -> None:
    """Ray looks for a parent whose command is ``uv run``, and would refuse a project's subfolder."""
    folder = tmp_path / "project" / "studies"
    folder.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1"\n')
    (folder / "run").write_text(UV)
    paths = os.pathsep.join([str(Path(results.__file__).parents[2]), *filter(None, sys.path)])
    said = run_in(folder, ["uv", "run", sys.executable], f"import ray\n{SCRIPT}", PYTHONPATH=paths)
    assert said == ["1", "True", str(results.__file__)]


@pytest.mark.ray
@pytest.mark.parametrize("command", [[sys.executable, "-I"], [HIDDEN]])
def test_packages_that_a_launcher_put_on_this_process_path_alone_are_found(tmp_path: Path, command: list[str]) -> None:
    said = run_in(tmp_path, command, LAUNCHER, PYTHONPATH=None, PATH=str(tmp_path))
    assert said == ["1", "True", str(results.__file__)]


@pytest.mark.ray
@may_mount
def test_ray_starts_where_nothing_in_the_temporary_folder_may_be_executed(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="noexec") as folder:
        said = run_in(tmp_path, [*NOEXEC, sys.executable], TMPDIR=folder)
    assert said == ["1", "True", str(results.__file__)]


@pytest.mark.ray
def test_ray_needs_no_home(tmp_path: Path) -> None:
    """Its token would be kept there. No user, root either, can make a folder in /proc."""
    assert run_in(tmp_path, [sys.executable], HOME="/proc/nobody") == ["1", "True", str(results.__file__)]


@pytest.mark.ray
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can be nobody at all")
def test_ray_needs_no_user_that_the_system_knows(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    user = [str(shutil.which("setpriv")), "--reuid=54321", "--regid=54321", "--clear-groups", *rights, sys.executable]
    said = run_in(tmp_path, user, HOME=None, USER=None, LOGNAME=None)
    assert said == ["1", "True", str(results.__file__)]


def test_a_home_that_ray_can_keep_a_token_in_is_left_to_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _token_variables() == {}
    monkeypatch.setenv("HOME", "/proc/nobody")
    token = _token_variables()
    assert len(token["RAY_AUTH_TOKEN"]) == 64
    assert _token_variables() == token
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert _token_variables() == {}


def test_a_wrapper_around_the_interpreter_is_used_where_it_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper, blind, real = tmp_path / "python", tmp_path / "blind", sys.executable
    for file, script in ((wrapper, f"echo loading modules\nexec {real}"), (blind, f"exec {real} -E -I -S")):
        file.write_text(f'#!/bin/sh\n{script} "$@"\n')
        file.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    assert _interpreter_variables() == {}
    monkeypatch.setattr(sys, "executable", str(blind))
    with pytest.raises(RayslError, match=r"torch None.*start raysl with the interpreter.*--local"):
        _interpreter_variables()
