"""What a report says of the search that chose its rows."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import raysl.results as results
from raysl.reports import (
    ReportInput,
    Searched,
    build_table,
    collect,
    render_csv,
    render_markdown,
    render_trials,
    write_report,
)
from raysl.results import SearchTrial, Shelf, best_trials
from raysl.results.place import place
from tests.reports.examples import example

TEMPERATURE, BANK, FRAMEWORK, NORM = "contrastive.temperature", "contrastive.bank", "framework", "norm"
LONG = 0.123456789012345


def trial(number: int, status: str, *scores: float, reason: str = "", same_as: int | None = None) -> SearchTrial:
    """Every third has no bank: its condition did not hold."""
    point: dict[str, str | int | float | bool] = {TEMPERATURE: LONG / (number + 1), FRAMEWORK: "moco", NORM: True}
    if number % 3:
        point[BANK] = 1024 * number
    seconds = 60.0 * len(scores)
    return SearchTrial(number, point, f"c{number}", status, scores, reason, same_as, seconds)  # type: ignore[arg-type]


TRIALS = (
    trial(0, "finished", 20.0, 31.25),
    trial(1, "stopped", 12.0),
    trial(2, "finished", 18.0, 62 + 2 / 3),
    trial(3, "failed", 5.0, reason="the loss is NaN,\nat step 12 | 3"),
    trial(4, "finished", 18.0, 44.0),
    trial(5, "stopped", 90.0),
    trial(6, "finished", 18.0, 62 + 2 / 3, same_as=2),
    trial(7, "failed"),
    trial(8, "failed", reason="the loss is NaN, at step 12", same_as=3),
)
SEARCHED = Searched(
    trials=TRIALS,
    wanted=9,
    parameters=(FRAMEWORK, TEMPERATURE, BANK, NORM),
    best={"best 1": 2, "best 2": 4, "best 3": 0},
    scored_by="kNN top-1 on ucf's training videos",
    seed=11,
    steps="5 epochs of 20",
    base=1,
)


def section(searched: Searched) -> str:
    text = render_markdown(build_table(replace(example(), searched=searched)))
    return text.partition("## Search\n")[2].partition("## Cells")[0]


def grid_lines(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in (rows[0], *rows[2:])]


def test_counts_add_up() -> None:
    sentence = section(SEARCHED).split(".")[0].strip()
    assert sentence == "9 of 9 trials: 3 finished, 2 stopped early, 2 failed, 2 the same as an earlier one"
    total, wanted, *parts = (int(number) for number in re.findall(r"\d+", sentence))
    assert (total, wanted) == (len(TRIALS), 9)
    assert sum(parts) == total
    assert "not complete" not in section(SEARCHED)


def test_the_best_with_their_parameters() -> None:
    assert [one.number for one in best_trials(list(TRIALS), 3)] == list(SEARCHED.best.values())
    assert grid_lines(section(SEARCHED)) == [
        ["row", "trial", "score in the search", FRAMEWORK, TEMPERATURE, BANK, NORM],
        ["best 1", "2", "62.7", "moco", "0.0412", "2048", "true"],
        ["best 2", "4", "44.0", "moco", "0.0247", "4096", "true"],
        ["best 3", "0", "31.2", "moco", "0.123", "–", "true"],
    ]


def test_what_scored_them_and_what_that_means() -> None:
    text = section(SEARCHED)
    assert "kNN top-1 on ucf's training videos, in percent, after 5 epochs of 20, at seed 11" in text
    for said in ("short training", "one seed", "biased upwards", "Do not compare", "(trials.csv)"):
        assert said in text


def test_what_it_cost_and_how_the_base_did() -> None:
    text = section(SEARCHED)
    assert f"All trials together took {sum(len(one.scores) for one in TRIALS)}.0 minutes" in text
    assert "The study's own configuration is trial 1: stopped early, 12.0." in text
    assert "The study's own configuration is not among the trials." in section(replace(SEARCHED, base=None))


def test_every_failure_has_its_reason() -> None:
    lines = [line for line in section(SEARCHED).splitlines() if line.startswith("- ")]
    assert lines == [
        "- Trial 3 failed: the loss is NaN, at step 12 \\| 3",
        "- Trial 7 failed: no reason is known",
    ]


def test_the_section_stands_before_the_cells_and_only_where_something_was_searched() -> None:
    text = render_markdown(build_table(replace(example(), searched=SEARCHED)))
    assert text.index("## Difference") < text.index("## Search") < text.index("## Cells")
    assert "## Search" not in render_markdown(build_table(example()))


def test_a_search_that_goes_on() -> None:
    searched = replace(SEARCHED, trials=(*TRIALS[:3], trial(3, "running", 10.0), trial(4, "running")), best={})
    text = section(searched)
    assert text.strip().startswith(
        "3 of 9 trials: 2 finished, 1 stopped early; 2 more running or interrupted. "
        "The search is not complete, and the best are not yet chosen."
    )
    assert "| row" not in text, "no table of the best"


def test_a_search_that_has_not_begun() -> None:
    assert (
        section(replace(SEARCHED, trials=(), best={}, base=None))
        .strip()
        .startswith("0 of 9 trials. The search is not complete")
    )


def test_a_search_without_a_finished_trial() -> None:
    text = section(replace(SEARCHED, trials=TRIALS[5:6] + TRIALS[7:8], wanted=2, best={}, base=None))
    assert "2 of 2 trials: 1 stopped early, 1 failed. None was chosen" in text


def test_more_trials_than_are_asked_for() -> None:
    text = section(replace(SEARCHED, wanted=4))
    assert "9 trials, where the study asks for 4: 3 finished" in text
    assert "not complete" not in text


def test_csv_has_every_trial_in_full() -> None:
    frame = pd.read_csv(io.StringIO(render_trials(replace(SEARCHED, trials=TRIALS[::-1]))), dtype={"scores": str})
    assert frame["number"].tolist() == list(range(9))
    assert frame["status"].tolist() == [one.status for one in TRIALS]
    assert frame.columns.tolist()[-4:] == list(SEARCHED.parameters)
    assert frame[TEMPERATURE].tolist() == pytest.approx([one.point[TEMPERATURE] for one in TRIALS], rel=1e-15)
    assert frame[BANK].isna().tolist() == [BANK not in one.point for one in TRIALS]
    assert frame[NORM].tolist() == [True] * 9
    assert frame["reports"].tolist() == [2, 1, 2, 1, 2, 1, 2, 0, 0]
    assert frame["scores"].fillna("").tolist()[:4] == ["20 31.25", "12", "18 62.6667", "5"]
    assert frame["score"].isna().tolist() == [one.score is None for one in TRIALS]
    assert frame["score"][4] == 44.0
    assert frame["same_as"].dropna().to_dict() == {6: 2.0, 8: 3.0}
    assert frame["reason"].dropna().to_dict() == {3: TRIALS[3].reason, 8: TRIALS[8].reason}


def test_trials_are_written_only_where_there_was_a_search(tmp_path: Path) -> None:
    write_report(replace(example(), searched=SEARCHED), place(tmp_path / "searched"))
    write_report(example(), place(tmp_path / "named"))
    assert (tmp_path / "searched" / "trials.csv").read_text() == render_trials(SEARCHED)
    assert sorted(path.name for path in (tmp_path / "searched").iterdir()) == ["table.csv", "table.md", "trials.csv"]
    assert sorted(path.name for path in (tmp_path / "named").iterdir()) == ["table.csv", "table.md"]


def test_no_rows_yet_is_a_table_all_the_same(tmp_path: Path) -> None:
    searched = replace(SEARCHED, trials=(), best={}, base=None)
    table = build_table(ReportInput("t", (), (), searched=searched))
    assert "## Search" in render_markdown(table)
    assert render_csv(table).count("\n") == 1
    shelf = Shelf(results.open(tmp_path / "store"), {})
    source = collect(shelf, [], title="t", baseline="best 1", columns=["linear/u:top1", "linear/u"], searched=searched)
    text = render_markdown(build_table(source))
    assert (source.baseline, source.searched) == (None, searched)
    assert "- No differences yet: the search has not given the baseline, best 1." in text
    assert "| row | linear/u top1 | linear/u |" in text


def test_without_a_search_an_absent_baseline_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the baseline 'best 1' is none of the rows"):
        collect(Shelf(results.open(tmp_path / "store"), {}), [], title="t", baseline="best 1")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"trials": (*TRIALS, TRIALS[0])}, "is repeated"),
        ({"parameters": (FRAMEWORK, TEMPERATURE)}, r"trial 0 has \['norm'\]"),
        ({"best": {"best 1": 5}}, "row 'best 1' is of trial 5, which is no finished trial"),
        ({"best": {"best 1": 99}}, "no finished trial"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(SEARCHED, **change)  # type: ignore[arg-type]
