"""Who may import whom: nothing imports from a layer above its own, and Ray is imported in the engine alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "raysl"
LAYERS = (
    ("errors", "machine", "notes", "signals", "streams", "distributed"),
    ("config",),
    ("published",),
    ("data",),
    ("results",),
    ("views",),
    ("models",),
    ("objectives",),
    ("training",),
    ("evaluation",),
    ("planning",),
    ("work",),
    ("engine",),
    ("reports",),
    ("commands",),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


HEAVY = ("torchvision", "pytorchvideo", "sklearn", "scipy.stats", "torch._dynamo", "matplotlib", "optuna", "ray")
"""Half of the time that a command would take to start."""


@cache
def imports(file: Path) -> set[str]:
    """Full names of the modules a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def part(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def wrong_imports(file: Path) -> Iterator[str]:
    """Imports of a file that are of a layer above its own."""
    for name in imports(file):
        parts = name.split(".")
        if parts[0] == "raysl" and len(parts) > 1 and LEVEL.get(parts[1], 0) > LEVEL[part(file)]:
            yield f"{file} imports {name}"
        if part(file) == "reports" and name.startswith("raysl.engine"):
            yield f"{file} imports {name}"


def test_a_file_imports_only_from_its_own_layer_and_below() -> None:
    assert [wrong for file in FILES for wrong in wrong_imports(file)] == []


def test_ray_is_imported_in_the_engine_alone() -> None:
    having = {part(file) for file in FILES if any(name.split(".")[0] == "ray" for name in imports(file))}
    assert having == {"engine"}


def test_tests_that_start_ray_are_where_make_looks() -> None:
    """It is given few files: to import those of all tests takes as long as one of these."""
    above = PACKAGE.parent
    makefile = (above / "Makefile").read_text()
    for marks, marked in (('"ray and not cluster"', "mark.ray"), ("cluster", "mark.cluster")):
        (given,) = re.findall(rf"-m {marks} (\S.*)", makefile)
        places = {above / path for path in given.split()}
        found = [file for file in (above / "tests").rglob("test_*.py") if marked in file.read_text()]
        elsewhere = [file for file in found if not {file, *file.parents} & places and file != Path(__file__)]
        of_the_other = [file for file in elsewhere if marked == "mark.ray" and "mark.cluster" in file.read_text()]
        assert elsewhere == of_the_other


def test_every_part_of_the_package_has_a_layer() -> None:
    assert {part(file) for file in FILES} <= set(LEVEL)


@pytest.mark.slow
def test_a_command_that_reads_a_study_imports_little() -> None:
    """Of PyTorch and the modules of every component; what computes is imported where something is computed."""
    program = (
        "import sys; from raysl.cli import main; sys.argv[1:] = ['plan', 'search_spaces/quickstart.yaml']\n"
        "try: main()\n"
        f"finally: print('heavy:', *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert "15 cells" in said.stdout, said.stderr
    assert said.stderr.splitlines()[-1] == "heavy:"
