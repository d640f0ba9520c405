"""docs/adding-a-task.md shows the files as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "adding-a-task.md").read_text()
DIFFS = re.findall(r"```diff\n--- (\S+)\n\+\+\+ b/(\S+)\n@@[^\n]*@@\n(.*?)```", GUIDE, flags=re.DOTALL)
OUTSIDE = ROOT / "tests" / "objectives" / "outside" / "fading_lab" / "fade.py"


def test_there_are_the_file_its_test_and_a_recipe() -> None:
    new = [path for before, path, _ in DIFFS if before == "/dev/null"]
    assert new == ["raysl/objectives/pretext/reverse.py", "tests/objectives/pretext/test_reverse.py"]
    listing, *recipes = [path for before, path, _ in DIFFS if before != "/dev/null"]
    assert listing == "raysl/objectives/pretext/__init__.py"
    assert recipes
    assert all(path.startswith("search_spaces/") for path in recipes), "no other code knows a task"


@pytest.mark.parametrize(("before", "path", "lines"), DIFFS, ids=[path for _, path, _ in DIFFS])
def test_a_diff_is_of_the_file_as_it_is(before: str, path: str, lines: str) -> None:
    added = [line.removeprefix("+") for line in lines.splitlines() if line.startswith("+")]
    known = (ROOT / path).read_text().splitlines()
    if before == "/dev/null":
        assert added == known, f"docs/adding-a-task.md shows another {path}: bring the diff there up to date"
    else:
        assert [line for line in added if line not in known] == []


def test_the_task_of_a_package_of_its_own_is_the_one_that_is_trained() -> None:
    shown = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)[0]
    assert shown == OUTSIDE.read_text()
