"""The list of what no study computes: checked on load."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.published import published_table, uncovered
from raysl.published.uncovered import read

SMALL = """
schema_version: 1
others: others' methods
kinds:
  architecture: no results
drawn_from: {tclr_f9: tclr_t11}
tables:
  taco_f4: no such protocol
rows:
  tclr_t3:
    - {row: {pretraining: VCOP}, reason: another method's}
    - {row: {pretraining: MiniKinetics supervised}, reason: no list}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "uncovered.yaml"
    path.write_text(text)
    return path


def test_a_small_list_is_read(tmp_path: Path) -> None:
    found = read(written(tmp_path, SMALL))
    assert (found.kinds, found.others) == ({"architecture": "no results"}, "others' methods")
    assert (found.drawn_from, found.tables) == ({"tclr_f9": "tclr_t11"}, {"taco_f4": "no such protocol"})
    assert found.rows == {("tclr_t3", 3): "another method's", ("tclr_t3", 1): "no list"}


def test_no_shipped_reason_is_given_for_nothing() -> None:
    listed = uncovered()
    reasons = [listed.others, *listed.kinds.values(), *listed.tables.values(), *listed.rows.values()]
    assert len(set(reasons)) == len(reasons)
    assert all(len(reason.split()) >= 4 for reason in reasons)
    assert all(published_table(table).figure for table in listed.drawn_from)


BAD = {
    "an unknown table": (("taco_f4:", "taco_f44:"), r":8: tables\.taco_f44: .*did you mean 'taco_f4'"),
    "an unknown source": (("tclr_t11", "tclr_t111"), r"drawn_from\.tclr_f9: .*did you mean 'tclr_t11'"),
    "an unknown row": (("VCOP", "VCOPP"), r"rows\.tclr_t3\.0: row 'VCOPP': no row of tclr_t3"),
    "a row by nothing": (("{pretraining: VCOP}", "{}"), r"rows\.tclr_t3\.0: .*by its columns pretraining"),
    "a row twice": (("MiniKinetics supervised", "VCOP"), r"rows\.tclr_t3\.1: row 'VCOP' is listed twice"),
    "an ambiguous row": (
        ("tclr_t3:\n    - {row: {pretraining: VCOP}", "cvrl_t9:\n    - {row: {temporal_augmentation: true}"),
        r"rows\.cvrl_t9\.0: .*3 rows of cvrl_t9",
    ),
    "a table and its rows": (("taco_f4:", "tclr_t3:"), r"tables\.tclr_t3: is listed under rows too"),
    "a table of a listed kind": (("taco_f4:", "cvrl_t1:"), r"'architecture' are listed already"),
    "a row of other authors": (
        ("tclr_t3:\n    - {row: {pretraining: VCOP}", "taco_t4:\n    - {row: {method: DPC}"),
        r"rows\.taco_t4\.0: row 'DPC' is other authors'",
    ),
    "no reason for other authors": (("others: others' methods", ""), r"others"),
    "rows of a figure that has none": (("tclr_t3:", "tclr_f8:"), r"rows\.tclr_f8\.0: .*no recovered columns"),
    "a drawing with rows": (("{tclr_f9: ", "{cvrl_f3: "), r"drawn_from\.cvrl_f3: has its own rows"),
    "a drawing of nothing": (("tclr_t11", "tclr_f8"), r"drawn_from\.tclr_f9: tclr_f8 has no rows to draw"),
    "an empty reason": (("no such protocol", "''"), r"tables\.taco_f4: .*at least 1 character"),
    "an unknown kind": (("architecture:", "comparison:"), r"kinds\.comparison.*"),
    "an unknown key": (("tables:", "tabels:"), r"tabels"),
    "no reason": ((", reason: no list", ""), r"rows\.tclr_t3\.1\.reason"),
    "another version": (("schema_version: 1", "schema_version: 2"), r"schema_version"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_list_is_refused(case: str, tmp_path: Path) -> None:
    (old, new), message = BAD[case]
    assert old in SMALL
    with pytest.raises(ConfigError, match=message):
        read(written(tmp_path, SMALL.replace(old, new)))
