"""What Ray's own tools show of a run: trials by row and factors, a kept experiment folder, metrics, its dashboard."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from ray import tune
from ray._private.ray_constants import DEFAULT_DASHBOARD_PORT

from raysl import results
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.engine.access import check_dashboard, dashboard_line
from raysl.engine.cells.trial import name_of
from raysl.engine.cells.trials import parameters
from raysl.engine.driver import run_on_cluster
from raysl.errors import RayslError
from raysl.work.events import Event, Note
from raysl.work.run_cells import RunOptions
from tests.cells import tiny_cell
from tests.engine.heads import BIN, end, said
from tests.engine.processes import below, runs
from tests.work.plans import plan
from tests.work.small_disk import command

TEMPERATURE = "objective.contrastive.temperature"
METRICS = ("raysl_loss", "raysl_clips_per_second", "raysl_data_wait_share")


def test_a_trial_is_known_by_its_row_and_shows_the_factors() -> None:
    cell = Cell(tiny_cell(), (), "study", "warm/er", factors={TEMPERATURE: 0.2})
    fold = replace(cell, config=tiny_cell({"data": {"name": "folder", "split": "folds", "folds": 2, "fold": 2}}))
    shown = parameters([cell, fold, replace(cell, row="other"), replace(cell, row="other", factors={})])
    assert shown[0] == {"study": "study", "row": "warm/er", "seed": 0, TEMPERATURE: 0.2}
    assert [name_of(one) for one in shown[:2]] == [cell.title, fold.title]
    assert fold.title.endswith("/fold2")
    part = replace(fold, part="finetune/synthetic")
    assert name_of(parameters([part])[0]) == part.title
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
        for name in METRICS:
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


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.slow
def test_the_dashboard_of_a_run_shows_it_and_goes_with_it() -> None:
    """As a user has it: the address and what it asks for are printed, though another process has its usual port."""
    with tempfile.TemporaryDirectory(prefix="t") as name, socket.socket() as other:  # pytest's own folder is too long
        folder = Path(name)
        with suppress(OSError):  # of a dashboard beside this one
            other.bind(("127.0.0.1", DEFAULT_DASHBOARD_PORT))
            other.listen()
        (folder / "tmp").mkdir()
        given = {"HOME": name, "TMPDIR": f"{name}/tmp", "RAY_metrics_report_interval_ms": "500"}
        environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | given
        whole = [sys.executable, "-m", "raysl", *command(folder, folder / "store", "--dashboard")]
        run = subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            address = address_told(run)
            get_token = [str(BIN / "ray"), "get-auth-token"]
            token = subprocess.run(get_token, env=environment, capture_output=True, text=True, check=True).stdout
            look(address, token.strip(), run.pid)
            started = below(run.pid)
            assert any("dashboard/dashboard.py" in one for _, one in started)
            (folder / "go").touch()
            status, output = said(run)
            assert status == 0, output
            until(lambda: not [one for pid, one in started if runs(pid)])
            assert list((folder / "tmp").glob("raysl-*")) == []
        finally:
            end(run, patience=0.0)


def address_told(run: subprocess.Popen[str]) -> str:
    """What a run says of its dashboard."""
    assert run.stdout is not None
    lines = list[str]()
    for line in run.stdout:
        lines.append(line)
        if "Ray's dashboard: " in line:
            break
    told = r"(http://127\.0\.0\.1:(?!8265)\d+) \(another process has port 8265\); it requires the token that `ray get-"
    found = re.search(told, lines[-1])
    assert found is not None, lines
    return found[1]


def look(dashboard: str, token: str, driver: int) -> None:
    """Asks for what its pages show, and for metrics where it has Prometheus look."""
    with pytest.raises(HTTPError, match="403"):
        asked(f"{dashboard}/api/v0/nodes", "another")
    (node,) = asked(f"{dashboard}/api/v0/nodes", token)["data"]["result"]["result"]
    assert (node["state"], node["is_head_node"]) == ("ALIVE", True)
    (job,) = asked(f"{dashboard}/api/jobs/", token)
    assert (job["status"], job["driver_info"]["pid"]) == ("RUNNING", str(driver))
    assert "-m raysl run /tmp/" in job["entrypoint"]

    def shown() -> bool:
        try:
            lines = scraped(asked(f"{dashboard}/api/prometheus/sd", token)[0]["targets"])
        except URLError:  # a target that does not listen yet
            return False
        return all(any(f"ray_{one}{{" in line and 'row="waiting"' in line for line in lines) for one in METRICS)

    until(shown)


def asked(url: str, token: str) -> Any:
    """What the dashboard answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def scraped(addresses: list[str]) -> list[str]:
    """As Prometheus would."""
    lines = list[str]()
    for address in addresses:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            lines += answer.read().decode().splitlines()
    return lines


def until(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.2)


@pytest.mark.ray
def test_a_ray_that_was_there_before_is_given_no_dashboard(tmp_path: Path, places: Places, local_ray: None) -> None:
    told = list[Event]()
    run_on_cluster([], results.open(tmp_path / "store"), places, RunOptions(dashboard=True), told.append)
    assert "--dashboard is for a Ray that is started here: this one was already running, and has no dashboard" in [
        event.text for event in told if isinstance(event, Note)
    ]


def test_a_token_that_nobody_knows_is_not_asked_for_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no home can keep one, ours is made for one run. Whether tokens are on, Ray decides once in a process."""
    monkeypatch.setattr("raysl.engine.access.is_token_auth_enabled", lambda: True)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    asks = "; it requires the token that `ray get-auth-token` prints"
    assert dashboard_line("127.0.0.1:8265", own=False) == f"Ray's dashboard: http://127.0.0.1:8265{asks}"
    monkeypatch.setenv("HOME", "/dev/null")
    said = "; it requires a token, and none can be kept below /dev/null: set RAY_AUTH_TOKEN to your own"
    assert dashboard_line("127.0.0.1:8265", own=True) == f"Ray's dashboard: http://127.0.0.1:8265{said}"


def test_a_dashboard_that_lacks_packages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray.dashboard.optional_deps", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp_cors", None)
    refused = r'--dashboard: .*aiohttp_cors.*leave --dashboard out, or pip install "ray\[default\]=='
    with pytest.raises(RayslError, match=refused):
        check_dashboard()
