"""What `raysl status`, `report` and `export` say of a search, from records in a store; no cell is computed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from raysl import results
from raysl.commands.inputs import load_studies
from raysl.commands.run import open_searches
from raysl.commands.searches import search_name
from raysl.commands.terminal import PlainConsole
from raysl.config.identity import cell_id
from raysl.data.snapshot import data_key
from raysl.planning.plan_study import plan_study
from raysl.planning.search import Search
from raysl.planning.study import load_study, with_best
from raysl.results import SearchTrial, Shelf
from raysl.results.search_folder import TrialStatus, Value
from tests.data.test_snapshot import snapshot_of
from tests.planning.studies import SEARCH, write_study
from tests.test_cli import Done, raysl

TEMPERATURE, FRAMEWORK = "objective.contrastive.temperature", "objective.contrastive.framework"
HASHES = snapshot_of().hashes
ENDS: tuple[tuple[TrialStatus, float], ...] = (("finished", 30.0), ("stopped", 99.0), ("finished", 40.0))


def search_at(path: Path) -> Search:
    search = load_study(path).search
    assert search is not None
    return search


def trials_of(search: Search, ends: Sequence[tuple[TrialStatus, float]]) -> list[SearchTrial]:
    trials = []
    for number, (status, score) in enumerate(ends):
        point: dict[str, Value] = {TEMPERATURE: 0.1 + number / 10, FRAMEWORK: "simclr"}
        scores = (score,) if status == "stopped" else (score / 2, score)
        trials.append(SearchTrial(number, dict(point), cell_id(search.trial(dict(point))), status, scores))
    return trials


class Workplace:
    """A study with a search of three trials, and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, write_study(folder, SEARCH)
        self.storage, self.reports, self.slim = folder / "store", folder / "reports", folder / "slim"

    def write(self, ends: Sequence[tuple[TrialStatus, float]]) -> list[SearchTrial]:
        """As a run that tried so much leaves the store."""
        store, search = results.open(self.storage), search_at(self.path)
        shelf = Shelf(store, {data_key(data): HASHES for data in (search.base.cell.data, search.data)})
        name = search_name(search, shelf)
        assert name is not None
        store.search(name).write_about(search.about())
        trials = trials_of(search, ends)
        for trial in trials:
            store.search(name).save(trial)
        return trials

    def run(self, command: str, *more: str, storage: Path | None = None) -> Done:
        places: list[str | Path] = (
            ["--reports", self.reports] if command == "report" else ["--to", self.slim] if command == "export" else []
        )
        done = raysl(command, self.path, "--storage", storage or self.storage, *places, *more)
        assert done.returncode == 0, done.stderr
        return done

    def report(self, *more: str, storage: Path | None = None) -> tuple[str, pd.DataFrame, pd.DataFrame]:
        """Markdown, table and trials."""
        said = self.run("report", *more, storage=storage).stdout
        folder = self.reports / load_study(self.path, overrides=[text for text in more if "=" in text]).report_name
        assert f"written: {folder / 'table.md'}, {folder / 'table.csv'}, {folder / 'trials.csv'}" in said
        table, trials = (pd.read_csv(folder / name, engine="python") for name in ("table.csv", "trials.csv"))
        return (folder / "table.md").read_text(), table, trials


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_before_anything_was_tried(workplace: Workplace) -> None:
    said = workplace.run("status").stdout
    assert "search: 0 of 3 trials have ended; its best configurations are not known yet" in said
    assert "2 missing" in said
    markdown, table, trials = workplace.report()
    assert "0 of 3 trials. The search is not complete" in markdown
    assert set(table["row"]) == {"random"}
    assert trials.empty
    assert "trials of the search" not in workplace.run("export").stdout
    assert not (workplace.slim / "searches").exists()


def test_while_it_goes_on(workplace: Workplace) -> None:
    workplace.write([*ENDS[:2], ("running", 20.0)])
    said = workplace.run("status").stdout
    assert "search: 2 of 3 trials have ended; its best configurations are not known yet" in said
    assert "best 1" not in said
    markdown, table, trials = workplace.report()
    assert "2 of 3 trials: 1 finished, 1 stopped early; 1 more running or interrupted." in markdown
    assert set(table["row"]) == {"random"}
    assert trials["status"].tolist() == ["finished", "stopped", "running"]


def test_when_all_trials_have_ended_the_best_are_rows(workplace: Workplace) -> None:
    trials = workplace.write(ENDS)
    best = with_best(load_study(workplace.path), trials)
    said = workplace.run("status").stdout
    assert "search: 3 of 3 trials have ended\n" in said
    assert "6 missing" in said
    for cell in plan_study(best):
        assert cell.id in said
    markdown, table, kept = workplace.report()
    assert "3 of 3 trials: 2 finished, 1 stopped early." in markdown
    assert list(dict.fromkeys(table["row"])) == ["random", "best 1", "best 2"]
    assert kept[TEMPERATURE].tolist() == [trial.point[TEMPERATURE] for trial in trials]
    assert "| best 1 | 2 | 40.0 |" in " ".join(markdown.split())


def test_more_trials_make_it_incomplete_and_fewer_best_need_no_new_search(workplace: Workplace) -> None:
    workplace.write(ENDS)
    assert "3 of 5 trials have ended; its best" in workplace.run("status", "--set", "search.trials=5").stdout
    markdown, table, _ = workplace.report("--set", "search.best=1")
    assert list(dict.fromkeys(table["row"])) == ["random", "best 1"]
    markdown, table, _ = workplace.report("--set", "search.trials=5")
    assert "3 of 5 trials" in markdown
    assert set(table["row"]) == {"random"}


def test_a_search_without_a_finished_trial_gives_no_rows(workplace: Workplace) -> None:
    workplace.write([("stopped", 10.0)] * 3)
    markdown, table, _ = workplace.report()
    assert "None was chosen" in markdown
    assert set(table["row"]) == {"random"}


@pytest.mark.parametrize("tried", [2, 3])
def test_a_report_from_the_export_is_the_report(workplace: Workplace, tried: int) -> None:
    workplace.write(ENDS[:tried])
    said = workplace.run("export").stdout
    assert f"{tried} trials of the search of study copied to the same place" in said
    assert f"0 of {6 if tried == 3 else 2} cells copied" in said
    markdown, table, trials = workplace.report()
    again, table_again, trials_again = workplace.report(storage=workplace.slim)
    assert again == markdown
    pd.testing.assert_frame_equal(table_again, table)
    pd.testing.assert_frame_equal(trials_again, trials)
    assert len(list((workplace.slim / "searches").glob("*/trials/*.json"))) == tried


@pytest.mark.parametrize(("tried", "left"), [(2, 1), (3, 0)])
def test_a_run_counts_a_search_that_lacks_trials(workplace: Workplace, tried: int, left: int) -> None:
    workplace.write(ENDS[:tried])
    console = PlainConsole(file=io.StringIO())
    planned = load_studies([workplace.path], None, [])
    assert open_searches(planned, Shelf(results.open(workplace.storage)), console) == left
    assert console.file.getvalue() == (  # type: ignore[attr-defined]
        "study: search: 2 of 3 trials have ended; its best configurations are not known yet\n" if left else ""
    )


def test_a_baseline_among_the_best(workplace: Workplace) -> None:
    write_study(workplace.folder, SEARCH.replace("line: random", "line: best 1"))
    assert "the search has not given the baseline, best 1" in workplace.report()[0]
    workplace.write(ENDS)
    assert "the search has not given" not in workplace.report()[0]


def test_a_broken_record_is_one_line(workplace: Workplace) -> None:
    workplace.write(ENDS)
    next((workplace.storage / "searches").rglob("00001.json")).write_text("{")
    commands: list[list[str | Path]] = [
        ["report", "--reports", workplace.reports],
        ["status"],
        ["export", "--to", workplace.slim],
    ]
    for command in commands:
        done = raysl(command[0], workplace.path, "--storage", workplace.storage, *command[1:])
        assert done.returncode == 1
        assert "trials/00001.json is no record of a trial" in done.stderr
        assert "Traceback" not in done.stderr
