"""``import raysl``: the examples of its functions, run in order, and what they promise beside them."""

from __future__ import annotations

import ast
import doctest
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import raysl
from raysl import results
from raysl.api import backbones, runs, stores, studies
from raysl.commands.inputs import Planned, load_studies
from raysl.errors import ConfigError
from tests.commands.stored import stored
from tests.planning.studies import write_study

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def test_every_name_is_there_and_its_types_are_those_of_type_checkers() -> None:
    source = ast.parse(Path(str(raysl.__file__)).read_text())
    typed = [
        alias.name
        for block in source.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert sorted([*typed, "__version__"]) == sorted(raysl.__all__)
    assert all(getattr(raysl, name) is not None for name in raysl.__all__)
    assert set(raysl.__all__) <= set(dir(raysl))
    with pytest.raises(AttributeError, match="no attribute 'plann'"):
        _ = raysl.plann


@pytest.mark.slow
def test_importing_raysl_imports_neither_torch_nor_ray() -> None:
    program = (
        "import sys, raysl; print([name for name in ('torch', 'ray', 'pandas', 'pydantic') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


@pytest.mark.slow
def test_the_examples_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run at the smallest scale, which all of them share; then what it left is looked at once more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CACHE", str(tmp_path / "cache"))
    modules = (studies, runs, stores, backbones)
    found = [sorted(doctest.DocTestFinder().find(one), key=lambda test: test.lineno or 0) for one in modules]
    examples = [one for tests in found for one in tests if one.examples]
    documented = {one.name.rpartition(".")[2] for one in examples}
    assert documented == {name for name in raysl.__all__ if callable(getattr(raysl, name)) and name.islower()}
    space: dict[str, Any] = {}
    for one in examples:
        if one.name.endswith(".embed"):
            give_videos(tmp_path)
        one.globs = space
        said: list[str] = []
        failed = doctest.DocTestRunner(optionflags=FLAGS).run(one, out=said.append, clear_globs=False)
        assert failed.failed == 0, "".join(said)
    study, store = space["study"], space["store"]
    table = space["done"].table
    frame = store.frame("quickstart")
    assert frame["row"].tolist() == store.frame()["row"].tolist()
    for row in study.rows:
        (mean,) = table.query(f"row == '{row}' and metric == 'top1'")["mean"]
        (metric,) = frame.loc[frame["row"] == row, "metric.top1"]
        assert mean == pytest.approx(metric, rel=1e-5)
        assert store.cell(row, seed=0).metrics["linear/smoke-synthetic"]["top1"] == metric
    assert (raysl.plan(study, "results").frame()["status"] == "done").all()


def give_videos(folder: Path) -> None:
    (folder / "videos").mkdir()
    for file in sorted((folder / "cache" / "data").rglob("*.mp4"))[:3]:
        shutil.copy(file, folder / "videos")


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Planned]:
    monkeypatch.chdir(tmp_path)
    return load_studies([write_study(tmp_path)], None, [])


def test_a_plan_says_how_far_each_cell_is(planned: list[Planned]) -> None:
    stored(planned, "results")
    study = raysl.load_study("study.yaml")
    assert (study.name, study.rows, study.baseline) == ("study", ("random", "plain", "warm"), "plain")
    assert {cell.status for cell in raysl.plan(study, "results").cells} == {"done"}
    (plain,) = [cell for cell in raysl.plan(study, "results").cells if (cell.row, cell.seed) == ("plain", 1)]
    folder = results.open("results").named(str(plain.folder))
    folder.clear_evaluation(next(iter(folder.evaluations())))
    plan = raysl.plan(study, "results")
    assert [(cell.row, cell.seed) for cell in plan.missing] == [("plain", 1)]
    assert plan.frame()["status"].value_counts().to_dict() == {"done": 5, "missing": 1}
    assert str(plan).splitlines()[-1] == "5 done, 1 missing"
    assert {cell.status for cell in raysl.plan(study).cells} == {"planned"}


def test_a_frame_has_study_row_and_seed(planned: list[Planned]) -> None:
    store = stored(planned, "results")
    study, opened = raysl.load_study("study.yaml"), raysl.open_store("results")
    assert opened.frame()["study"].isna().all(), "no run has kept titles"
    of_study = opened.frame(study)
    assert len(of_study) == 12
    assert of_study.columns.tolist()[:6] == ["study", "row", "seed", "scale", "cell", "evaluation.label"]
    warm = of_study[(of_study["row"] == "warm") & (of_study["seed"] == 1)]
    assert warm["objective.contrastive.temperature"].tolist() == [0.5, 0.5]
    other = write_study(Path(), name="other")
    shared = load_studies([other], None, [])
    for item in (*planned, *shared):
        store.save_titles(item.study.report_name, results.titles_of(item.cells, item.study.scale))
    frame = raysl.open_store("results").frame()
    assert len(frame) == 24, "each cell is a row of both studies"
    assert frame.groupby(["study", "row"]).size().to_dict() == {
        (name, row): 4 for name in ("study", "other") for row in ("random", "plain", "warm")
    }
    assert len(raysl.open_store("results").frame("other")) == 12


def test_a_cell_is_found_by_what_a_person_calls_it(planned: list[Planned]) -> None:
    store, study = stored(planned, "results"), raysl.load_study("study.yaml")
    opened = raysl.open_store("results")
    cell = opened.cell("warm", seed=1, study=study)
    assert cell.title == "study/warm/seed1"
    assert opened.cell(cell.name).name == opened.cell(cell.id[:9]).name == cell.name
    with pytest.raises(ConfigError, match="none is called so"):
        opened.cell("warm", seed=1)
    store.save_titles("study", results.titles_of(planned[0].cells, "paper"))
    opened = raysl.open_store("results")
    assert opened.cell("warm", seed=1).name == opened.cell("study/warm/seed1").name == cell.name
    assert opened.cell("warm", seed=1, study="study").title == "study/warm/seed1"
    with pytest.raises(ConfigError, match="did you mean 'warm/seed1'"):
        opened.cell("worm", seed=1)
    assert {one.title for one in opened.cells()} == {f"study/{row}/seed{n}" for row in study.rows for n in (0, 1)}
    assert cell.metrics.keys() == {"linear/synthetic", "retrieval/synthetic"}


def test_what_cannot_be_is_refused(planned: list[Planned], tmp_path: Path) -> None:
    stored(planned, "results")
    study = raysl.load_study("study.yaml", overrides={"optimizer.weight_decay": 1e-3, "objective.pretext": {}})
    assert study.cells[1].config.optimizer.options.weight_decay == 0.001
    with pytest.raises(ConfigError, match="leave address and workers out"):
        raysl.run(study, local=True, address="auto")
    for name in ("a", "b"):
        write_study(tmp_path / "two", name=name)
    with pytest.raises(ConfigError, match="folder of 2 studies"):
        raysl.load_study("two")
    with pytest.raises(ConfigError, match="nothing in these studies has this name"):
        raysl.plan(study, "results", roots={"nothing": tmp_path})
    with pytest.raises(ConfigError, match="one of the two"):
        raysl.embed("warm/seed0")
    with pytest.raises(ConfigError, match="one of the two"):
        raysl.embed("warm/seed0", ["a.mp4"], data="folder")
    with pytest.raises(ConfigError, match="are of a data set"):
        raysl.embed("warm/seed0", ["a.mp4"], roots={"folder": tmp_path})
    with pytest.raises(raysl.RayslError, match="holds no weights"):
        raysl.load_backbone(raysl.open_store("results").cell("warm", seed=0, study=raysl.load_study("study.yaml")))
