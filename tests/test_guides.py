"""docs/adding-a-*.md: the files of a page, outside of raysl, pass their contract and are run in its study."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.rendered import moving_square, write_video
from tests.test_cli import raysl

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(page.stem for page in DOCS.glob("adding-a-*.md"))
SHOWN = re.compile(r"`([\w/]+\.(?:py|yaml))`\n\n```(?:python|yaml)\n(.*?)```", flags=re.DOTALL)
"""A file, with its name as the last word before it."""


def write_files(page: str, folder: Path) -> list[str]:
    """Writes the files that a page shows below a folder, and gives their names."""
    shown = SHOWN.findall((DOCS / f"{page}.md").read_text())
    for name, text in shown:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [name for name, _ in shown]


def test_each_page_shows_a_component_its_test_and_a_study(tmp_path: Path) -> None:
    assert {"adding-a-backbone", "adding-a-data-set", "adding-a-protocol", "adding-a-task"} == set(PAGES)
    for page in PAGES:
        component, study, test = sorted(write_files(page, tmp_path), key=lambda name: ("/" not in name, name))
        assert re.fullmatch(r"\w+_lab/\w+\.py", component)
        assert f'component = "{component.removesuffix(".py").replace("/", ".")}"' in (tmp_path / test).read_text()
        assert (test, study) == (f"test_{Path(component).name}", "study.yaml")


@pytest.mark.slow
def test_the_components_pass_the_tests_that_the_pages_show(tmp_path: Path) -> None:
    """By one process: to import PyTorch takes as long as half of them."""
    tests = [name for page in PAGES for name in write_files(page, tmp_path) if name.startswith("test_")]
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-W", "error::pytest.PytestWarning", *tests]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed(, 1 skipped)? in", done.stdout, flags=re.MULTILINE)
    assert passed is not None, done.stdout
    assert int(passed[1]) > 70


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(DOCS.parent)])}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_study_of_the_component_is_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (component,) = [name for name in write_files(page, tmp_path) if "/" in name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    roots = ["--root", f"ours={own_videos(tmp_path / 'videos')}"] if page == "adding-a-data-set" else []
    if roots:
        checked = raysl("data", "check", "ours", "--study", "study.yaml", *roots)
        assert checked.returncode == 0, checked.stderr
        assert "12 videos taken" in checked.stdout
    done = raysl("run", "study.yaml", "--scale", "smoke", "--local", *roots)
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"cells done .*, 0 failed, 0 missing", done.stdout) is not None, done.stdout
    stored = "".join(file.read_text() for file in (tmp_path / "results").rglob("*.yaml"))
    evaluated = "".join(file.read_text() for file in (tmp_path / "results").rglob("evaluations/*.json"))
    assert component.removesuffix(".py").replace("/", ".") in stored + evaluated


def own_videos(folder: Path) -> Path:
    """Twelve videos of two classes, and the table that lists them."""
    rows = ["path,class,split,person"]
    for number in range(12):
        path = f"{'run' if number % 2 else 'walk'}/{number}.mp4"
        write_video(folder / path, moving_square(frames=40, seed=number))
        rows.append(f"{path},{path.split('/')[0]},{'train' if number < 8 else 'test'},person {number}")
    (folder / "videos.csv").write_text("\n".join(rows))
    return folder
