"""``pretraining: none``: the backbone as it was drawn from the seed, stored like any other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.places import NOTHING
from raysl.objectives.build import build_backbone
from raysl.results import CellFolder
from raysl.training.checkpoint import Checkpoint
from raysl.training.load_backbone import PREFIX
from raysl.training.recorder import Recorder, begin
from raysl.training.summary import Summary


def store_random_backbone(
    cell: CellConfig, folder: CellFolder, provenance: dict[str, Any], files: Mapping[str, Path] = NOTHING
) -> Summary:
    """Stores the seeded (or inflated) backbone as the final checkpoint and marks the cell done; for rank 0 alone."""
    weights = build_backbone(cell, files).state_dict()
    model = {PREFIX + name: value for name, value in weights.items()}
    summary = Summary(
        steps=0,
        minutes=0.0,
        clips_per_second=0.0,
        clips_per_second_per_core=0.0,
        final_loss=None,
        precision=provenance["precision"],
        unreadable=0,
        unreadable_paths=(),
        missing=0,
        too_short=0,
        left_out=0,
        attempts=1,
    )
    begin(cell, folder, provenance)
    with Recorder(folder, None) as recorder:
        recorder.save(Checkpoint(cell_id(cell), step=0, precision=provenance["precision"], model=model))
        recorder.finish(summary, provenance)
    return summary
