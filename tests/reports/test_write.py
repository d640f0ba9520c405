"""Report files."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import StorageError
from raysl.reports import write_report
from raysl.results.place import place
from tests.conftest import SERVERS, empty_folder
from tests.reports.examples import example


@pytest.mark.parametrize("scheme", SERVERS)
def test_the_same_input_gives_the_same_bytes_in_a_folder_and_in_a_bucket(
    scheme: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bucket = place(empty_folder(scheme, request.getfixturevalue(SERVERS[scheme])))
    for one in (place(tmp_path / "one"), bucket):
        write_report(example(), one)
        first = {name: one.read(name) for name in one.sizes()}
        write_report(example(), one)
        assert {name: one.read(name) for name in one.sizes()} == first
        assert sorted(first) == ["table.csv", "table.md"]
    assert bucket.read("table.md") == (tmp_path / "one" / "table.md").read_bytes()


def test_a_folder_that_cannot_be_written(tmp_path: Path, s3_address: str) -> None:
    (tmp_path / "file").write_text("")
    absent = f"s3://absent/x?scheme=http&endpoint_override={s3_address}"
    for one in (place(tmp_path / "file" / "report"), place(absent)):
        with pytest.raises(
            StorageError, match=r"the report cannot be written to .*(file/report|absent/x): .*--reports"
        ):
            write_report(example(), one)
