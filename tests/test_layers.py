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
    ("errors", "cgroup", "machine", "notes", "signals", "streams", "distributed"),
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
    ("api",),
    ("cli", "__main__"),
    ("testing",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


HEAVY = ("torch", "torchvision", "pytorchvideo", "pandas", "scipy", "sklearn", "matplotlib", "optuna", "ray")
"""Five of the six seconds that a command took to start, and 600 of 700 MB."""


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


def test_pytest_is_imported_in_the_contracts_alone() -> None:
    having = {part(file) for file in FILES if any(name.split(".")[0] == "pytest" for name in imports(file))}
    assert having == {"testing"}


def named_marks(node: ast.AST, known: dict[str, set[str]]) -> set[str]:
    """``ray`` of ``pytest.mark.ray``, also under a name that the module gave it."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Attribute) and one.value.attr == "mark":
            found.add(one.attr)
        elif isinstance(one, ast.Name):
            found |= known.get(one.id, set())
    return found


def marks_of_tests(source: str) -> Iterator[set[str]]:
    """The marks of each test of a module, and of each that its parameters add some to."""
    tree, known = ast.parse(source), dict[str, set[str]]()
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = named_marks(node.value, known)
    for test in ast.walk(tree):
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            calls = [one for one in test.decorator_list if isinstance(one, ast.Call)]
            plain = [one.func if isinstance(one, ast.Call) else one for one in test.decorator_list]
            own = known.get("pytestmark", set()).union(*(named_marks(one, known) for one in plain))
            yield own
            for one in (node for call in calls for node in ast.walk(call)):
                if isinstance(one, ast.keyword) and one.arg == "marks":
                    yield own | named_marks(one.value, known)


def test_marks_are_those_of_each_test() -> None:
    source = """
ON_RAY = [pytest.mark.ray, pytest.mark.cluster]
pytestmark = pytest.mark.slow
@pytest.mark.ray
def test_a(): ...
@pytest.mark.parametrize("x", [1, pytest.param(2, marks=ON_RAY)])
def test_b(): ...
"""
    parametrized = {"slow", "parametrize"}
    assert list(marks_of_tests(source)) == [{"slow", "ray"}, parametrized, {*parametrized, "ray", "cluster"}]


def test_tests_that_start_ray_are_where_make_looks() -> None:
    """It is given few files: to import those of all tests takes as long as one of these."""
    above = PACKAGE.parent
    makefile = (above / "Makefile").read_text()
    marked = {file: list(marks_of_tests(file.read_text())) for file in (above / "tests").rglob("test_*.py")}
    for selection, wanted, others in (
        ('"ray and not cluster"', "ray", {"cluster"}),
        ('"$(CLUSTER)"', "cluster", set[str]()),
    ):
        (given,) = re.findall(rf"-m {re.escape(selection)} (\S.*)", makefile)
        places = {above / path for path in given.split()}
        found = [file for file, tests in marked.items() if any(wanted in one and not others & one for one in tests)]
        assert len(found) > 2
        assert [file for file in found if not {file, *file.parents} & places] == []


def test_every_part_of_the_package_has_a_layer() -> None:
    assert {part(file) for file in FILES} <= set(LEVEL)


def without_heavy(program: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in which nothing heavy can be imported: an import says where it stands."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r}))\n"
    command = [sys.executable, "-c", blocked + program]
    return subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)


def test_the_options_of_components_are_read_without_what_computes() -> None:
    """Its file names PyTorch, SciPy and the like in functions alone, or leaves them to a module beside it (`later`)."""
    done = without_heavy(
        "from raysl.config.component import KINDS, find, names\n"
        "print(sum(find(kind, name).kind == kind for kind in KINDS for name in names(kind)))"
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 70


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["plan", "search_spaces"], "studies, "),
        (["status", "search_spaces/quickstart.yaml", "--storage", "reports/demo/quickstart/store"], "SimCLR"),
        (["plan", "search_spaces/quickstart.yaml"], "30 cells"),
    ],
)
def test_a_command_that_reads_studies_imports_nothing_that_computes(command: list[str], shown: str) -> None:
    done = without_heavy(f"from raysl.cli import main\nsys.argv[1:] = {command}\nmain()")
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
