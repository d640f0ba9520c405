"""What a submission carries, and what a job refuses."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from raysl.commands.job import JOB, job_environment, refuse_lost_folders
from raysl.errors import ConfigError
from raysl.training.provenance import COMMIT, git_state
from tests.planning.studies import write_study
from tests.test_cli import raysl

ROOT = Path(__file__).resolve().parents[2]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of one commit that looks like raysl's."""
    folder = tmp_path / "checkout"
    (folder / "raysl").mkdir(parents=True)
    (folder / "raysl" / "__init__.py").write_text("")
    for name in (".git_archival.txt", ".gitattributes"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


@pytest.mark.parametrize("command", ["run", "status", "report"])
def test_a_job_refuses_folders_that_it_would_lose(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JOB, "{}")
    done = raysl(command, write_study(tmp_path))
    assert done.returncode == 2
    assert "--storage results: in a Ray job this folder" in done.stderr
    assert "--storage s3://BUCKET/results" in done.stderr
    with pytest.raises(ConfigError, match="--reports tables: in a Ray job"):
        refuse_lost_folders(storage="s3://bucket/store", reports="tables")
    refuse_lost_folders(storage=str(tmp_path), reports="gs://bucket/reports")
    monkeypatch.delenv(JOB)
    refuse_lost_folders(storage="results", reports="reports")


def test_a_submission_says_the_commit_of_what_is_uploaded(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    commit = git(checkout, "rev-parse", "HEAD")
    said = json.loads(raysl("job-env").stdout)["env_vars"]
    assert said[COMMIT] == commit
    assert int(said["RAY_JOB_STOP_WAIT_TIME_S"]) > 3, "Ray's default"
    (checkout / "raysl" / "__init__.py").write_text("changed = True")
    changed = job_environment(checkout)["env_vars"]
    assert changed[COMMIT] == f"{commit}-dirty"
    monkeypatch.setenv(COMMIT, changed[COMMIT])
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}
    monkeypatch.delenv(COMMIT)
    assert COMMIT not in job_environment(tmp_path)["env_vars"], "another raysl than this runs there"


def test_an_archive_knows_its_commit(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMIT, raising=False)
    archive = tmp_path / "raysl.zip"
    git(checkout, "archive", "--output", str(archive), "HEAD")
    zipfile.ZipFile(archive).extractall(tmp_path / "unpacked")
    assert git_state(tmp_path / "unpacked") == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": None}
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / ".git_archival.txt").write_bytes((ROOT / ".git_archival.txt").read_bytes())
    assert git_state(tmp_path / "copied") == {"commit": "unknown", "dirty": None}


def test_a_package_that_pip_took_from_git_knows_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMIT, raising=False)
    package = tmp_path / "raysl-0.1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: raysl\nVersion: 0.1.0\n")
    source = {"url": "https://host/raysl.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}  # PEP 610
    (package / "direct_url.json").write_text(json.dumps(source))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert git_state(tmp_path) == {"commit": "abc123", "dirty": None}
    assert git_state(tmp_path / "elsewhere") == {"commit": "unknown", "dirty": None}
    (package / "direct_url.json").write_text(json.dumps({"url": "https://index/raysl.whl", "archive_info": {}}))
    assert git_state(tmp_path) == {"commit": "unknown", "dirty": None}
