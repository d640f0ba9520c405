"""Runs as jobs of a real cluster: `ray job submit --working-dir . -- raysl run ...` from the checkout."""

from __future__ import annotations

import re
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray._private.ray_constants as constants
from ray._private.runtime_env.packaging import create_package

from raysl import results
from raysl.commands.job import job_environment
from raysl.results.place import place
from tests.conftest import BUCKET
from tests.engine.heads import ROOT, Head, head, said, submitted
from tests.planning.studies import RECIPE, write_study

MEGABYTE = 2**20
OPTIONS = ("--num-cpus=2", "--object-store-memory=200000000")
STUDY = """
title: "A job"
base: recipe
rows:
  random: {pretraining: none}
  SimCLR: {}
baseline: random
seeds: [0]
evaluations: [retrieval/synthetic]
"""
STOPPED = """
title: "A job that is stopped"
base: recipe
rows:
  long: {training.steps: 600, training.checkpoint_steps: 50, schedule.warmup_epochs: 0}
seeds: [0]
evaluations: [retrieval/synthetic]
"""


def test_an_upload_is_small_and_has_all_that_a_job_runs() -> None:
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "upload.zip")
        create_package(str(ROOT), package, True, excludes=constants.get_runtime_env_default_excludes())
        assert package.stat().st_size < 5 * MEGABYTE
        names = set(zipfile.ZipFile(package).namelist())
    assert {"raysl/cli/__init__.py", "search_spaces/quickstart.yaml", "raysl/reports/write.py"} <= names
    assert {f"{part.name}/" for part in (ROOT / "raysl").iterdir() if part.is_dir()} - {"__pycache__/"} <= {
        f"{name.split('/')[1]}/" for name in names if name.startswith("raysl/")
    }
    assert not [name for name in names if name.startswith(("reports/", "tests/", ".git/", ".venv/"))]


class Jobs:
    """A head, and a bucket for what its jobs write."""

    def __init__(self, on: Head, folder: Path, server: str) -> None:
        self.on, self.folder = on, folder
        self.query = f"?scheme=http&endpoint_override={server}"
        self.places = ["--storage", self.address("store"), "--reports", self.address("reports")]

    def address(self, name: str) -> str:
        return f"s3://{BUCKET}/{self.folder.name}/{name}{self.query}"


@pytest.fixture(scope="module")
def secured(s3_address: str) -> Iterator[Head]:
    """A cluster that asks for a token."""
    with head({"RAY_AUTH_MODE": "token"}, *OPTIONS) as on:
        yield on


@pytest.fixture(scope="module")
def open_to_all(s3_address: str) -> Iterator[Head]:
    with head({"RAY_AUTH_MODE": "disabled"}, *OPTIONS) as on:
        yield on


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.slow
class TestJobs:
    def test_a_job_leaves_its_table_in_the_log_and_in_the_bucket(
        self, secured: Head, tmp_path: Path, s3_address: str
    ) -> None:
        jobs = Jobs(secured, tmp_path, s3_address)
        study = write_study(tmp_path, STUDY, RECIPE, name="job")
        environment = job_environment(ROOT)
        # A variable that raysl sets itself: Ray refuses to be given one by both.
        environment["env_vars"] |= {"RAYSL_COMMIT": "0123abc-dirty", "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5"}
        code, log = said(submitted(secured, ["raysl", "run", str(study), *jobs.places], environment))
        assert code == 0, log
        own = log[log.index("2 cells asked for") : log.index("2 cells done (2 worked on now)")]
        assert not {"\r", "\x1b"} & set(own), "lines alone"
        assert own.count("cells done, ") >= 1, "how far it is"
        tables = {name: place(jobs.address("reports/job")).read(name) for name in ("table.md", "table.csv")}
        assert all(tables.values())
        rows = [line for line in (tables["table.md"] or b"").decode().split("\n\n")[2].splitlines() if line]
        assert len(rows) == 4, "a head, a rule, two rows"
        assert all(row in log for row in rows), log
        written = [cell.provenance() for cell in results.open(jobs.address("store")).cells()]
        assert [one and one["git"] for one in written] == [{"commit": "0123abc", "dirty": True}] * 2

        laptop = tmp_path / "laptop"
        laptop.mkdir()
        shown = secured.raysl("status", study, "--storage", jobs.address("store"), cwd=laptop, without_ray=True)
        assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "2 done"), shown
        again = secured.raysl("report", study, "--storage", jobs.address("store"), cwd=laptop, without_ray=True)
        assert again.returncode == 0, again.stderr
        assert (laptop / "reports" / "job" / "table.csv").read_bytes() == tables["table.csv"]

    @pytest.mark.long
    def test_the_next_submission_goes_on_after_a_stop(self, secured: Head, tmp_path: Path, s3_address: str) -> None:
        jobs = Jobs(secured, tmp_path, s3_address)
        study = write_study(tmp_path, STOPPED, RECIPE, name="stopped")
        entry, environment = ["raysl", "run", str(study), *jobs.places], job_environment(ROOT)
        job = f"stopped-{tmp_path.name}"
        code, log = said(submitted(secured, entry, environment, "--no-wait", "--submission-id", job))
        assert code == 0, log
        store = results.open(jobs.address("store"))
        ends = time.monotonic() + 120
        while not any(cell.latest_checkpoint() for cell in store.cells()):
            assert time.monotonic() < ends, said(secured.job("logs", job))
            time.sleep(0.2)
        code, stopped = said(secured.job("stop", job))
        assert "was stopped" in stopped, (code, stopped)
        (cell,) = store.cells()
        assert cell.state().status == "interrupted", "not running: nobody works on it"
        saved, progress = cell.latest_checkpoint(), cell.state().progress
        assert saved is not None
        assert progress is not None
        assert saved[0] >= int(str(progress["step"])), "the stop saved what was done"
        _, log = said(secured.job("logs", job))
        assert "ended by SIGTERM: what is done is kept" in log
        assert not [text for text in ("Traceback", "*** SIGTERM") if text in log], log
        code, log = said(submitted(secured, entry, {}))
        assert code == 0, log
        assert "the commit of this upload is not known" in log
        provenance = cell.provenance()
        assert provenance is not None
        assert [attempt["from_step"] for attempt in provenance["attempts"]] == [0, saved[0]]

    def test_a_relative_folder_fails_the_job_before_anything_is_computed(self, secured: Head, tmp_path: Path) -> None:
        study = write_study(tmp_path, STUDY, RECIPE, name="lost")
        code, log = said(submitted(secured, ["raysl", "run", str(study)], job_environment(ROOT)))
        assert code == 1
        assert "error: --storage results: in a Ray job this folder is in Ray's cache" in log
        assert "failed with exit code 2" in log

    @pytest.mark.long
    def test_the_python_of_the_docs_submits_without_a_token(
        self, open_to_all: Head, tmp_path: Path, s3_address: str
    ) -> None:
        jobs = Jobs(open_to_all, tmp_path, s3_address)
        study = write_study(tmp_path, STUDY, RECIPE, name="from_python")
        text = (ROOT / "docs" / "clusters.md").read_text()
        (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "JobSubmissionClient" in block]
        entry = re.search(r'entrypoint="(.*?)"', code)
        assert entry is not None
        code = code.replace("http://127.0.0.1:8265", open_to_all.dashboard)
        code = code.replace(entry[1], " ".join(["raysl run", str(study), *(f"'{word}'" for word in jobs.places)]))
        done = open_to_all.python(code)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 cells done (2 worked on now), 0 failed, 0 missing" in done.stdout
        assert place(jobs.address("reports/from_python")).read("table.md")
