"""A study in which one row ends only once the fine-tuning of another is done, which starts from that row's cell."""

from __future__ import annotations

from pathlib import Path

from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.results import Store
from tests.work.plans import plan, site_here

FINETUNE = "evaluation: {finetune: {epochs: 1, batch_size: 8, clips: 1}}\n"


def waiting_for_a_follower(folder: Path, store: Store, places: Places) -> list[Cell]:
    """The cells of a row that ends at once and of one that waits for the other's fine-tuning, and what follows them."""
    rows = {"short": "{training.steps: 1}"}
    both = plan(folder / "short", rows, "finetune/synthetic", extra=FINETUNE)
    (follower,) = [cell for cell in both if cell.config.init is not None]
    done = Path(site_here(both, store, places).folder(follower).place.root) / "done.json"
    failing = "framework: tests.training.failing_simclr, temperature: 0.1, step: 1"
    rows["long"] = f"{{training.steps: 1, objective.contrastive: {{{failing}, waits_for: {done}}}}}"
    cells = plan(folder / "both", dict(reversed(rows.items())), "finetune/synthetic", extra=FINETUNE)
    assert follower.id in {cell.id for cell in cells}
    return cells
