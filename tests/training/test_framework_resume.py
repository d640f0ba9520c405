"""Every framework trains on real batches, and a kill midway changes nothing of what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import names
from raysl.data.source import VideoSource
from raysl.training.loop import KilledError
from raysl.training.pretrain import pretrain
from tests.objectives.batches import WINDOWS, small
from tests.training.material import assert_equal_states, final, folder_of, tiny_cell

CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in names("framework")}
CASES["moco in shuffled groups"] = ("moco", {"shuffle": True, "symmetric": "mean"})
CASES["instdisc with nce"] = ("instdisc", {"loss": "nce"})


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_is_the_run_that_was_not_killed(case: str, source: VideoSource, tmp_path: Path) -> None:
    name, options = CASES[case]
    cell = tiny_cell(
        **{
            **WINDOWS,
            "objective.contrastive": small(name, **options),
            "batch_norm_group": 2 if "shuffle" in options else "batch",
            "training.checkpoint_steps": 2,
            "training.steps": 4,
        }
    )
    whole, killed = (folder_of(tmp_path / part, cell, source) for part in ("whole", "killed"))
    pretrain(cell, whole, source)
    with pytest.raises(KilledError):
        pretrain(cell, killed, source, stop_after=3)
    pretrain(cell, killed, source)
    assert_equal_states(final(whole, cell).model, final(killed, cell).model)
