"""raysl where decord or PyTorchVideo is not installed: hidden from a process and from all that it starts."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from raysl.config.component import Chosen, Component, find
from raysl.config.options import Options
from raysl.errors import ConfigError, NodeFault
from tests.planning.studies import SMALL_RECIPE, write_study

STUDY = """
title: "A cell"
base: recipe
rows: {plain: {}}
seeds: [0]
evaluations: [linear/synthetic]
"""


def run_without(packages: tuple[str, ...], folder: Path, *commands: tuple[str | Path, ...]) -> list[str]:
    """What raysl prints to both streams for each command."""
    hidden = folder / "hidden"
    hidden.mkdir(exist_ok=True)
    (hidden / "sitecustomize.py").write_text(
        "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in packages)
    )
    path = os.pathsep.join([str(hidden), str(Path(__file__).resolve().parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    said = []
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "raysl", *map(str, command)],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        said.append(done.stdout + done.stderr)
    return said


@pytest.mark.slow
def test_without_decord_raysl_plans_checks_and_trains_with_one_note(tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)
    small = [f"--set={key}" for key in ("train_per_class=2", "test_per_class=1", "frames=24", "height=40", "width=48")]
    run = ("run", study, "--local", "--cache", "cache", "--format", "md")
    check = ("data", "check", "synthetic", "--cache", "cache", *small)
    planned, checked, trained = run_without(("decord",), tmp_path, ("plan", study), check, run)
    assert "1 study, 1 cells asked for" in planned
    assert "decord is not" not in planned
    assert "decord                 not installed: PyAV reads every video" in checked
    assert "1 cells done (1 worked on now), 0 failed, 0 missing" in trained
    for said in (checked, trained):
        assert said.count("decord is not installed here") == 1


@pytest.mark.slow
def test_without_pytorchvideo_its_backbones_alone_are_refused_and_named(tmp_path: Path) -> None:
    rows = "rows: {plain: {}, slow: {backbone: {name: slow_r18, width: 0.0625}}}"
    study = write_study(tmp_path, STUDY.replace("rows: {plain: {}}", rows), SMALL_RECIPE)
    run = ("run", study, "--local", "--cache", "cache", "--format", "md")
    (trained,) = run_without(("pytorchvideo",), tmp_path, run)
    assert "backbone slow_r18 needs the package pytorchvideo, which is not installed here" in trained
    assert "pip install 'pytorchvideo==0.1.5'" in trained
    assert "1 cells done (2 worked on now), 0 failed, 1 missing" in trained, "another machine may have it"


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are hidden from this process."""
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("decord", "pytorchvideo"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "decord", None)
    monkeypatch.setitem(sys.modules, "pytorchvideo", None)


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("name", ["slow_r18", "slow_r50", "cvrl_r3d"])
def test_a_backbone_without_its_package_says_what_to_install(name: str) -> None:
    chosen = Chosen("backbone", name, find("backbone", name).options())
    with pytest.raises(ConfigError, match=f"backbone {name} needs .* pip install 'pytorchvideo==0.1.5'") as raised:
        chosen.build()
    assert isinstance(raised.value, NodeFault), "another machine may have it, so it is no result"


def test_an_installed_package_without_a_module_is_no_absent_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(options: Options) -> None:
        importlib.import_module("numpy.no_such_module")

    monkeypatch.setattr(Chosen, "component", Component("backbone", Options, build))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Chosen("backbone", "mine", Options()).build()
