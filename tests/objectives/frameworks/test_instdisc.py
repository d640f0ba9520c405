"""InstDisc: its logits and losses, the normaliser of the first batch, the bank after a step, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raysl.errors import ConfigError, DataError
from raysl.objectives.frameworks.instdisc import InstDiscOptions
from raysl.objectives.frameworks.instdisc_term import InstDisc
from raysl.objectives.losses.info_nce import info_nce
from raysl.objectives.losses.noise_contrastive import bank_logits, log_normaliser, noise_contrastive_loss
from raysl.objectives.losses.nt_xent import unit_rows
from tests.objectives.batches import TinyBackbone, context, random_batch, renumbered, small_options


def instdisc(**options: Any) -> InstDisc:
    torch.manual_seed(0)
    return InstDisc(small_options("instdisc", **options), context())


def features(size: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    return {"query": torch.rand(size, 6, generator=torch.Generator().manual_seed(seed))}


def expected_logits(term: InstDisc, first: int, step: int) -> torch.Tensor:
    videos = torch.arange(first, first + 4)
    drawn = term.bank.draw(videos, term.options.negatives, 0, step, "negatives")
    return bank_logits(term.projector(features()["query"]), term.bank.entries, drawn, term.options.temperature)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("step", [0, 3])
def test_softmax_is_the_cross_entropy_of_the_keyed_draw(step: int, temperature: float) -> None:
    term = instdisc(temperature=temperature)
    term.begin_step(step, TinyBackbone())
    output = term(features(), renumbered(random_batch(), 5))
    torch.testing.assert_close(output.loss, info_nce(expected_logits(term, 5, step)).loss)


def test_the_normaliser_is_fixed_by_the_first_batch() -> None:
    term = instdisc(loss="nce")
    term.begin_step(0, TinyBackbone())
    logits = expected_logits(term, 0, 0)
    log_z = log_normaliser(logits, 16)
    torch.testing.assert_close(term(features(), random_batch()).loss, noise_contrastive_loss(logits, log_z, 16))
    term(features(seed=1), renumbered(random_batch(), 4))  # accumulated: the first batch's Z
    assert term.log_z.isneginf()
    term.end_step()
    assert term.log_z == log_z
    term.begin_step(1, TinyBackbone())
    list(term.projector.parameters())[-2].data.mul_(-3)
    output = term(features(), random_batch())
    torch.testing.assert_close(output.loss, noise_contrastive_loss(expected_logits(term, 0, 1), log_z, 16))
    term.end_step()
    assert term.log_z == log_z


def test_the_bank_moves_towards_what_the_step_saw() -> None:
    term = instdisc(momentum=0.3)
    before = term.bank.entries.clone()
    term.begin_step(0, TinyBackbone())
    embeddings = unit_rows(term.projector(features()["query"]).detach())
    term(features(), renumbered(random_batch(), 8))
    assert torch.equal(term.bank.entries, before)
    term.end_step()
    torch.testing.assert_close(term.bank.entries[8:12], unit_rows(0.3 * before[8:12] + 0.7 * embeddings))
    assert torch.equal(term.bank.entries[12:], before[12:])
    after = term.bank.entries.clone()
    term.end_step()
    assert torch.equal(term.bank.entries, after)


def test_accuracy_does_not_count_a_draw_of_the_video_itself_against_it() -> None:
    term = instdisc(projector={"hidden_layers": 0, "output_dim": 4, "batch_norm": "none"}, negatives=15)
    rows = features()
    embeddings = unit_rows(term.projector(rows["query"]).detach())
    term.bank.entries.copy_(-embeddings.mean(dim=0, keepdim=True).expand(16, 4))
    term.bank.entries[:4] = embeddings
    metrics = term(rows, random_batch()).metrics
    drawn = term.bank.draw(torch.arange(4), 15, 0, 0, "negatives")
    assert (drawn[:, 1:] == drawn[:, :1]).any()
    assert metrics["contrastive_accuracy"] == 1
    assert metrics["alignment"].item() == pytest.approx(0, abs=1e-6)


def test_more_negatives_than_other_videos_are_refused() -> None:
    assert instdisc(negatives=15)
    with pytest.raises(ConfigError, match=r"negatives 16: .* 16 entries.* lower it to 15"):
        instdisc(negatives=16)


def test_a_video_that_the_bank_does_not_hold_is_named() -> None:
    with pytest.raises(DataError, match="video 16 of the catalog has no row"):
        instdisc()(features(), renumbered(random_batch(), 13))


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"temperature": -0.1}, {"negatives": 0}, {"loss": "hinge"}], ids=str
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        InstDiscOptions(**options)
