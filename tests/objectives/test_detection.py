"""The loss on people's boxes: against a hand-made one, on ranks with unequal numbers of boxes, and without any."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from raysl.config.objective_sections import SupervisedOptions
from raysl.distributed import average_over_ranks
from raysl.errors import ConfigError
from raysl.objectives.detection import Detection, roi_features
from raysl.testing.ranks import run_ranks
from raysl.views.batch import Batch, Boxes
from tests.objectives.batches import TinyBackbone, context, view

CLASSES, CHANNELS = 3, 4
ROWS = torch.tensor([0, 0, 0, 2])
BOX = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.9, 0.8], [0.5, 0.5, 1.0, 1.0], [0.25, 0.0, 0.75, 1.0]])
ACTIONS = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]])
MAPS = torch.randn(4, CHANNELS, 5, 6, generator=torch.Generator().manual_seed(0))


def term(**options: object) -> Detection:
    torch.manual_seed(0)
    chosen = SupervisedOptions(target="boxes", roi_size=2, **options)  # type: ignore[arg-type]
    return Detection(chosen, context(feature_dim=CHANNELS, classes=CLASSES))


def batch(clips: slice) -> Batch:
    """Some of the four clips; the second and the last show nobody."""
    here = torch.arange(4)[clips].tolist()
    kept = torch.tensor([row in here for row in ROWS.tolist()])
    rows = ROWS[kept] - here[0]
    boxes = Boxes(rows, BOX[kept], ACTIONS[kept], torch.arange(4)[kept], torch.tensor(2.0))
    return Batch({"query": view(torch.zeros(len(here), 3, 1, 1, 1))}, boxes=boxes)


def step(clips: slice) -> tuple[float, Tensor]:
    """The loss on this rank, and the classifier's gradient."""
    made = term()
    output = made({"query": MAPS[clips]}, batch(clips))
    output.loss.backward()
    gradient = made.classifier.linear.weight.grad
    assert gradient is not None
    return output.loss.item(), gradient


def test_it_is_the_mean_over_boxes_and_actions() -> None:
    made = term()
    output = made({"query": MAPS}, batch(slice(0, 4)))
    logits = made.classifier.linear(roi_features(MAPS, ROWS, BOX, 2))
    torch.testing.assert_close(output.loss, F.binary_cross_entropy_with_logits(logits, ACTIONS))
    assert (float(output.metrics["boxes"]), float(output.metrics["boxes_dropped"])) == (1.0, 0.5)


def test_the_map_is_averaged_over_time() -> None:
    maps = torch.stack([MAPS, 3 * MAPS], dim=2)
    torch.testing.assert_close(term().reduce(maps), 2 * MAPS)


def _rank(rank: int, parts: list[tuple[int, int]]) -> tuple[float, Tensor]:
    loss, gradient = step(slice(*parts[rank]))
    average_over_ranks([gradient])
    total = torch.tensor(loss)
    dist.all_reduce(total)
    return float(total) / len(parts), gradient


def test_two_ranks_with_three_boxes_and_one_give_the_loss_and_gradient_of_one() -> None:
    loss, gradient = step(slice(0, 4))
    for found, own in run_ranks(_rank, 2, [(0, 2), (2, 4)]):
        assert found == pytest.approx(loss)
        torch.testing.assert_close(own, gradient)


def test_clips_without_people_give_no_loss_and_no_gradient() -> None:
    loss, gradient = step(slice(3, 4))
    assert loss == 0
    assert gradient.abs().max() == 0


def test_dropout_depends_on_the_person_and_the_step_alone() -> None:
    made = term(dropout=0.5)
    made.begin_step(3, TinyBackbone())
    whole = made._kept(MAPS, torch.arange(4))
    part = made._kept(MAPS, torch.tensor([2, 3]))
    assert whole is not None
    assert part is not None
    torch.testing.assert_close(whole[2:], part)
    assert 0 < float((whole == 0).float().mean()) < 1


def test_one_action_is_refused_and_so_is_what_boxes_do_not_read() -> None:
    with pytest.raises(ConfigError, match="two or more actions"):
        Detection(SupervisedOptions(target="boxes"), context(classes=1))
    for unread in ({"label_fraction": 0.5}, {"label_smoothing": 0.1}):
        with pytest.raises(ValueError, match="has no effect with target: boxes"):
            SupervisedOptions.model_validate({"target": "boxes", **unread})
    with pytest.raises(ValueError, match="roi_size has no effect with target: videos"):
        SupervisedOptions(roi_size=3)
