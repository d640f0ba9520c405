"""The clip-to-video loss against a plain loop over its formula, what it shows the bank, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.objective_sections import MemoryOptions, ProjectorOptions
from raysl.errors import ConfigError, DataError
from raysl.models.projector import Projector
from raysl.objectives.memory.temporal_memory import TemporalMemory
from raysl.objectives.temporal.clip_to_video import ClipToVideoOptions
from raysl.objectives.temporal.clip_to_video_term import ClipToVideo, clip_to_video
from tests.cells import tiny_cell
from tests.objectives.batches import TinyBackbone, context, placed, random_batch, renumbered

BATCH = renumbered(placed(random_batch()), 5)


def cosine(u: Tensor, v: Tensor) -> Tensor:
    dot, square_u, square_v = (
        sum((a * b for a, b in zip(left, right, strict=True)), torch.zeros((), dtype=torch.float64))
        for left, right in ((u, v), (u, u), (v, v))
    )
    return dot / torch.sqrt(square_u * square_v)


def oracle(clips: Tensor, cells: Tensor) -> Tensor:
    """``1 - s(h_i, mean_l theta_{i,l})``, mean over clips; ``cells`` is ``[B, L, d]``."""
    total = torch.zeros((), dtype=torch.float64)
    for h, entries in zip(clips, cells, strict=True):
        video = sum(entries, torch.zeros_like(h)) / len(entries)
        total = total + 1 - cosine(h, video)
    return total / len(clips)


def term(cells: int = 3) -> ClipToVideo:
    torch.manual_seed(0)
    projector = Projector(6, ProjectorOptions(hidden_layers=0, output_dim=5, batch_norm="none"))
    bank = TemporalMemory(range(16), 5, MemoryOptions(cells=cells))
    built = ClipToVideo(ClipToVideoOptions(), context(shared_projector=projector, memory=bank))
    return built.double()


def features(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(4, 6, generator=generator).double() for name in ("query", "key")}


@pytest.mark.parametrize("cells", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_value_and_gradient_equal_the_oracle(batch: int, cells: int) -> None:
    generator = torch.Generator().manual_seed(0)
    entries = torch.nn.functional.normalize(torch.randn(batch, cells, 4, generator=generator).double(), dim=-1)
    losses, gradients = [], []
    for function, videos in ((clip_to_video, entries.mean(dim=1)), (oracle, entries)):
        clips = (3 * torch.randn(batch, 4, generator=torch.Generator().manual_seed(1))).double().requires_grad_()
        loss = function(clips, videos)
        loss.backward()
        assert clips.grad is not None
        losses.append(loss.detach())
        gradients.append(clips.grad)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("video", "expected"), [([7.0, 0.0], 0.0), ([0.0, 0.1], 1.0), ([-2.0, 0.0], 2.0)])
def test_anchors(video: list[float], expected: float) -> None:
    clips, videos = torch.tensor([[3.0, 0.0]]), torch.tensor([video], requires_grad=True)
    loss = clip_to_video(clips.requires_grad_(), videos)
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    loss.backward()
    assert videos.grad is None


def test_float32_under_bfloat16_autocast() -> None:
    clips, videos = torch.randn(3, 4).bfloat16(), torch.randn(3, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = clip_to_video(clips, videos)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, clip_to_video(clips.float(), videos))


@pytest.mark.parametrize("cells", [1, 3])
def test_is_the_mean_over_the_clips_of_both_views(cells: int) -> None:
    loss_of, rows = term(cells), features()
    loss_of.begin_step(0, TinyBackbone())
    parts = [oracle(loss_of.projector(rows[name]), loss_of.memory.entries[5:9]) for name in ("query", "key")]
    torch.testing.assert_close(loss_of(rows, BATCH).loss, sum(parts) / 2, rtol=1e-12, atol=1e-12)


def test_the_bank_follows_after_the_step_and_gets_no_gradient() -> None:
    loss_of, expected, rows = term(), term(), features()
    before = loss_of.memory.entries.clone()
    loss_of.begin_step(0, TinyBackbone())
    loss_of(rows, BATCH).loss.backward()
    assert loss_of.memory.entries.grad is None
    assert all(parameter.grad is not None for parameter in loss_of.projector.parameters())
    assert torch.equal(loss_of.memory.entries, before)
    loss_of.end_step()
    for name in ("query", "key"):
        view = BATCH.views[name]
        expected.memory.observe(name, view.video, view.center, loss_of.projector(rows[name]))
    expected.memory.commit()
    torch.testing.assert_close(loss_of.memory.entries, expected.memory.entries)
    assert torch.equal(loss_of.memory.entries[9:], before[9:])


def test_accumulated_batches_all_read_the_bank_of_the_steps_start() -> None:
    loss_of = term()
    first = loss_of(features(), BATCH).loss
    loss_of.begin_step(0, TinyBackbone())
    again = renumbered(BATCH, 4)
    for batch in (again, BATCH):
        found = loss_of(features(), batch).loss
    assert torch.equal(found, first)
    before = loss_of.memory.entries.clone()
    loss_of.end_step()
    moved = (loss_of.memory.entries != before).any(dim=-1).any(dim=-1)
    assert moved.nonzero().flatten().tolist() == list(range(5, 13))
    assert not loss_of.compares_across_batch


def test_the_loss_falls_where_clips_keep_their_embedding() -> None:
    loss_of, losses = term(), []
    for step in range(12):
        loss_of.begin_step(step, TinyBackbone())
        losses.append(float(loss_of(features(), BATCH).loss.detach()))
        loss_of.end_step()
    assert losses[-1] < 0.1 * losses[0]
    assert all(math.isfinite(loss) for loss in losses)


def test_a_video_without_a_row_is_named() -> None:
    with pytest.raises(DataError, match="video 16 of the catalog has no row"):
        term()(features(), renumbered(BATCH, 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective.memory": None}, r"set objective\.memory and objective\.projector"),
        ({"objective.projector": None}, r"set objective\.memory and objective\.projector"),
        (
            {"sampling.pair": None, "sampling.windows": {"name": "global_local", "local_clips": 2, "skips": [2]}},
            r"clip_to_video reads the clips of the pair: set sampling\.pair",
        ),
    ],
    ids=["no memory", "no projector", "no pair"],
)
def test_what_it_needs_is_asked_for_when_the_cell_is_loaded(change: dict[str, Any], message: str) -> None:
    whole: dict[str, Any] = {
        "objective.contrastive": None,
        "objective.clip_to_video": {},
        "objective.memory": {},
        "objective.projector": {},
    }
    assert tiny_cell(whole).objective.clip_to_video is not None
    with pytest.raises(ConfigError, match=message):
        tiny_cell(whole | change)
