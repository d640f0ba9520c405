"""Studies whose published table is a design: the rows that follow are the ones that were listed one by one before."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from raysl.config.identity import cell_id, evaluation_id
from raysl.planning.plan_study import with_seed
from raysl.planning.study import load_study
from tests.search_spaces.shipped import SEARCH_SPACES

LISTED = yaml.safe_load(Path(__file__).with_name("listed_rows.yaml").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["paper", "laptop", "smoke"])
@pytest.mark.parametrize("name", LISTED)
def test_a_design_gives_the_rows_that_were_listed(name: str, scale: str) -> None:
    study = load_study(SEARCH_SPACES / f"{name}.yaml", scale)
    assert study.options.design != "rows"
    made = {
        row.name: " ".join(
            [cell_id(with_seed(row.cell, study.seeds[0])), *(evaluation_id(config) for config in row.evaluations)]
        )
        for row in study.rows
    }
    assert made == {row: at_scales[scale] for row, at_scales in LISTED[name].items()}
