"""The wheel: built, installed into an empty folder, and used from another, without the clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import raysl
from raysl.errors import ConfigError
from raysl.planning.search import check_optuna

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "raysl", "search_spaces")


def call(*command: str | Path, folder: Path, packages: Path | None = None) -> str:
    """What a command prints; it imports this clone's raysl only where ``packages`` says so."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1"} | ({} if packages is None else {"PYTHONPATH": str(packages)})
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installed wheel; what raysl depends on is the environment's own."""
    work = tmp_path_factory.mktemp("wheel")
    sources, packages = work / "sources", work / "packages"
    sources.mkdir()
    for name in SOURCES:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, sources / name)
    pip = ("pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-index", "--no-build-isolation", "--no-deps", "-w", work, sources, folder=work)
    (wheel,) = work.glob("*.whl")
    assert wheel.name == f"raysl-{raysl.__version__}-py3-none-any.whl"
    call(*pip, "install", "--no-index", "--no-compile", "--no-deps", "--target", packages, wheel, folder=work)
    return packages


@pytest.mark.slow
def test_a_wheel_has_every_study_recipe_and_scale(installed: Path) -> None:
    ours, theirs = PROJECT / "search_spaces", installed / "raysl" / "search_spaces"
    assert {file.relative_to(theirs) for file in theirs.rglob("*.yaml")} == {
        file.relative_to(ours) for file in ours.rglob("*.yaml")
    }
    assert not (installed / "search_spaces").exists()


@pytest.mark.slow
def test_the_quickstart_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    said = call(
        "raysl", "run", "quickstart", "--scale", "smoke", "--local", "--format", "md", "--cache", tmp_path / "cache",
        folder=tmp_path, packages=installed,
    )  # fmt: skip
    assert "6 cells done (6 worked on now), 0 failed, 0 missing" in said
    assert "TensorBoard: raysl tensorboard quickstart --scale smoke --storage results" in said
    table = (tmp_path / "reports" / "quickstart" / "smoke" / "table.md").read_text()
    assert re.search(r"^\| SimCLR +\| +\d+\.\d \(1\) \| +baseline \|$", table, re.MULTILINE)


@pytest.mark.slow
def test_an_own_study_in_an_empty_folder_finds_recipes_and_scales(installed: Path, tmp_path: Path) -> None:
    call("raysl", "new", "own.yaml", "--data", "synthetic", folder=tmp_path, packages=installed)
    said = call("raysl", "plan", "own.yaml", "--scale", "smoke", folder=tmp_path, packages=installed)
    assert "3 cells asked for, 3 unique; 2 pretrainings" in said


def test_the_citation_and_the_changes_are_of_this_package() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    about = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert (citation["license"], citation["keywords"]) == (about["license"], about["keywords"])
    assert [one["name"] for one in citation["authors"]] == [one["name"] for one in about["authors"]]
    assert f"\n## {raysl.__version__} " in (PROJECT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_what_extras_need_is_imported_for_them_alone() -> None:
    """Optuna is not installed with raysl: without it a study that is no search must run."""
    program = (
        "import sys; sys.modules['optuna'] = None\n"
        "import raysl.cli, raysl.commands.run, raysl.engine.driver, raysl.reports.figures.factor_importance"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr


def test_a_search_without_optuna_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_optuna()
    monkeypatch.setattr("raysl.planning.search.NEEDED", "absent_optuna")
    with pytest.raises(ConfigError, match=r"pip install 'raysl\[search\]'"):
        check_optuna()
