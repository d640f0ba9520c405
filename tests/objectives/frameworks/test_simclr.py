"""SimCLR with negatives from the temporal memory bank: which entries, what it shows the bank, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from raysl.config.objective_sections import MemoryOptions, ProjectorOptions
from raysl.errors import ConfigError
from raysl.models.projector import Projector
from raysl.objectives.frameworks.simclr import SimCLROptions
from raysl.objectives.frameworks.simclr_term import SimCLR
from raysl.objectives.losses.nt_xent import nt_xent
from raysl.objectives.memory.temporal_memory import TemporalMemory
from tests.cells import tiny_cell
from tests.objectives.batches import TinyBackbone, context, placed, random_batch, renumbered

BATCH = renumbered(placed(random_batch()), 5)
BANK: dict[str, Any] = {"objective.memory": {}, "objective.projector": {"output_dim": 8}}


def simclr(negatives: int = 7, videos: int = 16) -> SimCLR:
    torch.manual_seed(0)
    projector = Projector(6, ProjectorOptions(hidden_layers=0, output_dim=5))
    bank = TemporalMemory(range(videos), 5, MemoryOptions(cells=3))
    given = context(videos=range(videos), seed=4, shared_projector=projector, memory=bank)
    return SimCLR(SimCLROptions(projector="shared", bank_negatives=negatives), given)


def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(4, 6, generator=generator) for name in ("query", "key")}


def bank_of(term: SimCLR) -> TemporalMemory:
    assert term.memory is not None
    return term.memory


@pytest.mark.parametrize("step", [0, 3])
def test_negatives_are_the_steps_draw(step: int) -> None:
    term, rows = simclr(), features()
    term.begin_step(step, TinyBackbone())
    query, key = (term.projector(rows[name]) for name in ("query", "key"))
    entries = bank_of(term).draw(torch.arange(5, 9), 7, 4, step, "bank negatives")
    torch.testing.assert_close(term(rows, BATCH).loss, nt_xent(query, key, 0.1, bank_negatives=entries).loss)


def test_both_views_enter_the_bank_after_the_step_the_query_first() -> None:
    term, expected, rows = simclr(), simclr(), features()
    before = bank_of(term).entries.clone()
    term.begin_step(0, TinyBackbone())
    term(rows, BATCH)
    assert torch.equal(bank_of(term).entries, before)
    term.end_step()
    for name in ("query", "key"):
        view = BATCH.views[name]
        bank_of(expected).observe(name, view.video, view.center, term.projector(rows[name]))
    bank_of(expected).commit()
    torch.testing.assert_close(bank_of(term).entries, bank_of(expected).entries)
    assert not torch.equal(bank_of(term).entries[5:9], before[5:9])


def test_a_step_that_failed_leaves_nothing() -> None:
    term = simclr()
    before = bank_of(term).entries.clone()
    for step in range(2):
        term.begin_step(step, TinyBackbone())
        if step == 0:
            term(features(), BATCH)
    term.end_step()
    assert torch.equal(bank_of(term).entries, before)


def test_without_bank_negatives_it_neither_reads_nor_writes_a_bank() -> None:
    term, plain = simclr(negatives=0), simclr(negatives=0)
    assert term.memory is None
    assert not list(term.buffers())
    term.begin_step(0, TinyBackbone())
    embedded = plain.projector(features()["query"]), plain.projector(features()["key"])
    assert torch.equal(term(features(), BATCH).loss, nt_xent(*embedded, 0.1).loss)
    term.end_step()


def test_more_negatives_than_the_bank_has_are_refused() -> None:
    assert simclr(negatives=36)  # three cells of twelve videos
    with pytest.raises(ConfigError, match=r"37 negatives .*bank_negatives to 36 or less"):
        simclr(negatives=37)


@pytest.mark.parametrize(
    "change",
    [
        {"objective.projector": {}, "objective.contrastive.projector": "shared"},
        BANK,
        {"objective.memory": {}, "objective.contrastive.projector": "shared"},
    ],
    ids=["no memory", "a projector of its own", "nothing to share"],
)
def test_bank_negatives_need_a_bank_of_the_shared_projectors_embeddings(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"objective\.projector"):
        tiny_cell({"objective.contrastive.bank_negatives": 8, **change})
    tiny_cell({"objective.contrastive.bank_negatives": 8, **BANK, "objective.contrastive.projector": "shared"})


@pytest.mark.parametrize("framework", ["simclr", "moco"])
def test_sharing_a_projector_that_is_not_there_is_refused_when_the_cell_is_loaded(framework: str) -> None:
    contrastive = {"framework": framework, "projector": "shared"}
    with pytest.raises(ConfigError, match=r"contrastive has projector: shared, but objective\.projector"):
        tiny_cell({"objective.contrastive": contrastive})
