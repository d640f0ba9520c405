"""Who may import whom: nothing imports from a layer above its own, and Ray is imported in the engine alone."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_own_layer_and_below(file: Path) -> None:
    for name in imports(file):
        parts = name.split(".")
        if parts[0] == "raysl" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= LEVEL[part(file)], f"{file} imports {name}"
    if part(file) == "reports":
        assert not any(name.startswith("raysl.engine") for name in imports(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_ray_is_imported_in_the_engine_alone(file: Path) -> None:
    if part(file) != "engine":
        assert not any(name.split(".")[0] == "ray" for name in imports(file))


def test_every_part_of_the_package_has_a_layer() -> None:
    assert {part(file) for file in FILES} <= set(LEVEL)
