"""Report files."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import StorageError
from raysl.reports import write_report
from tests.reports.examples import example


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    write_report(example(), tmp_path / "one")
    first = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    write_report(example(), tmp_path / "one")
    second = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert first == second
    assert sorted(first) == ["table.csv", "table.md"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written to"):
        write_report(example(), tmp_path / "file" / "report")
