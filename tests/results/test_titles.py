"""Which rows of which studies the cells of a store belong to."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.inputs import load_studies
from raysl.results import titles_of
from tests.conftest import empty_folder
from tests.planning.studies import STUDY, write_study

FINE_TUNED = STUDY.replace("linear/synthetic", "finetune/synthetic")


@pytest.mark.parametrize("where", ["disk", pytest.param("bucket", marks=pytest.mark.slow)])
def test_titles_come_back(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    storage = str(tmp_path) if where == "disk" else empty_folder("s3", request.getfixturevalue("s3_address"))
    store, (item,) = results.open(storage), load_studies([write_study(tmp_path, FINE_TUNED)], "smoke", [])
    assert store.titles() == {}
    written = titles_of(item.cells, item.study.scale)
    store.save_titles(item.study.report_name, written)
    assert results.open(storage).titles() == written
    texts = {title.text for titles in written.values() for title in titles}
    assert {"study/plain/seed0", "study/plain/seed0/finetune/smoke-synthetic"} <= texts
    assert {title.scale for titles in written.values() for title in titles} == {"smoke"}


def test_a_row_that_shares_its_cell_is_named_beside_the_first(tmp_path: Path) -> None:
    shared = STUDY.replace("  warm:", "  again: {same_as: plain}\n  warm:")
    (item,) = load_studies([write_study(tmp_path, shared)], None, [])
    (titles,) = [ones for ones in titles_of(item.cells, "paper").values() if ones[0].text == "study/plain/seed1"]
    assert [title.row for title in titles] == ["plain", "again"]


def test_a_later_run_of_a_study_replaces_what_the_first_kept(tmp_path: Path) -> None:
    store = results.open(tmp_path / "store")
    for rows in (STUDY, STUDY.replace("  warm:", "  hot:")):
        (item,) = load_studies([write_study(tmp_path, rows)], None, [])
        store.save_titles(item.study.report_name, titles_of(item.cells, "paper"))
    assert {title.row for titles in store.titles().values() for title in titles} == {"random", "plain", "hot"}


@pytest.mark.parametrize("content", [b"", b"{", b'{"cells": 3}', b'{"cells": [{"cell": "a", "row": 3}]}', b"[]"])
def test_a_file_that_cannot_be_read_says_nothing(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, (item,) = results.open(tmp_path / "store"), load_studies([write_study(tmp_path)], None, [])
    store.save_titles("whole", titles_of(item.cells, "paper"))
    store.place.write("studies/damaged.json", content)
    with caplog.at_level(logging.WARNING):
        assert store.titles() == titles_of(item.cells, "paper")
    assert "studies/damaged.json" in caplog.text
