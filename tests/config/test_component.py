"""Components are those that their packages list."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysl.config.component import KINDS, find, is_unlisted, names
from raysl.errors import ConfigError
from raysl.planning.study import load_study
from tests.planning.studies import RECIPE, STUDY, write_study

ROOT = Path(__file__).resolve().parents[2]


def defines_component(file: Path) -> bool:
    assigned = [node.targets[0] for node in ast.parse(file.read_text()).body if isinstance(node, ast.Assign)]
    return any(isinstance(target, ast.Name) and target.id == "COMPONENT" for target in assigned)


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_lists_its_components_and_no_other_module(kind: str) -> None:
    folder = ROOT / KINDS[kind].replace(".", "/")
    assert names(kind) == sorted(file.stem for file in folder.glob("*.py") if defines_component(file))


@pytest.mark.parametrize(("kind", "name"), [("data set", "listed"), ("pretext task", "overlap"), ("protocol", "x/y")])
def test_a_helper_is_no_component(kind: str, name: str) -> None:
    assert not is_unlisted(kind, name)
    with pytest.raises(ConfigError, match=f"unknown {kind} {name!r}"):
        find(kind, name)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A new file of a task, `mirror`, in the folder of pretext tasks."""
    package = importlib.import_module(KINDS["pretext task"])
    (tmp_path / "mirror.py").write_text((ROOT / "raysl/objectives/pretext/reverse.py").read_text())
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield
    find.cache_clear()


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("written", ["{}", "null", "{head: {hidden_layers: 1}}"])
def test_a_component_that_is_not_listed_is_refused_with_the_line_to_add(tmp_path: Path, written: str) -> None:
    study = write_study(
        tmp_path, STUDY.replace("plain: {}", f"plain: {{objective.pretext: {{mirror: {written}}}}}"), RECIPE
    )
    expected = (
        r"mirror: pretext task 'mirror' is not listed: add it to COMPONENTS in raysl/objectives/pretext/__init__\.py"
    )
    with pytest.raises(ConfigError, match=expected):
        load_study(study)
