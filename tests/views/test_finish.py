"""Colours of a whole batch at once: the loader's, clip by clip, within a stated tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.component import Component
from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.testing.augmentation import noise
from raysl.views.augmentation import Augmentation, Augmented
from raysl.views.augmentation_options import AugmentationOptions, Box
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.augmentations.standard_augmentation import StandardAugmentation
from raysl.views.loader import PretrainingLoader
from tests.views.sets import clip_options, small_cell

TOLERANCE = 1e-4
"""In the network's input, whose standard deviation is about one."""
CASES: dict[str, dict[str, Any]] = {
    "standard": {"name": "standard"},
    "a draw for each frame": {"name": "standard", "temporally_consistent": False},
    "cvrl": {"name": "cvrl", "asymmetric": True},
    "solarised": {"name": "cvrl", "solarise": 0.5},
    "cstp": {"name": "cstp", "strong": 1.0},
    "tclr": {"name": "tclr", "blur": 0.5, "erase": 0.5, "shear_rotate": 0.5, "drop_channel": 0.2},
    "rand_augment": {"name": "rand_augment"},
    "none": {"name": "none"},
}


def loader(source: VideoSource, finish: bool, **changes: Any) -> PretrainingLoader:
    return PretrainingLoader(
        small_cell(**changes), source, view_names=("query", "key"), rank=0, world_size=1, finish=finish
    )


def assert_finished_alike(source: VideoSource, processes: int = 0, **changes: Any) -> None:
    whole, later = loader(source, True, **changes), loader(source, False, loader_workers=processes, **changes)
    for expected, batch in zip(whole.epoch(1), later.epoch(1), strict=True):
        finished = later.finished(batch)
        for name, view in expected.views.items():
            assert batch.views[name].clips.dtype == torch.uint8
            assert finished.views[name].clips.shape == view.clips.shape
            torch.testing.assert_close(finished.views[name].clips, view.clips, atol=TOLERANCE, rtol=0)
            assert torch.equal(finished.views[name].box, view.box)


@pytest.mark.parametrize("case", CASES)
def test_a_batch_that_is_finished_later_is_the_loaders(source: VideoSource, case: str) -> None:
    assert_finished_alike(source, augment=CASES[case])


def test_subtracted_and_turned_clips_are_finished_later_too(source: VideoSource) -> None:
    assert_finished_alike(source, clip={"input": "difference"})
    rotation = {"contrastive": {"framework": "simclr"}, "pretext": {"rotation": {"weight": 1.0}}}
    assert_finished_alike(source, objective=rotation)


def test_loader_processes_hand_over_what_is_left(source: VideoSource) -> None:
    assert_finished_alike(source, processes=1, augment=CASES["cvrl"])


def test_draws_of_one_operation_order_change_every_clip_by_its_own_amounts() -> None:
    """Against `color`, clip by clip, with all orders of the colour operations among the clips."""
    augmentation = StandardAugmentation(StandardOptions(jitter=1.0, grey=0.3), clip_options())
    cropped = [augmentation.crop(noise(), stream("finish", key)) for key in range(40)]
    assert len({tuple(name for name, _ in one.drawn[0].jitter) for one in cropped}) > 15
    pixels = torch.stack([one.pixels for one in cropped]).float() / 255
    together = augmentation.finish_all(pixels.clone(), [one.drawn[0] for one in cropped])
    for one, finished in zip(cropped, together, strict=True):
        torch.testing.assert_close(augmentation.augmented(one).clip, finished.transpose(0, 1), atol=1e-5, rtol=0)


class OneStep(Augmentation):
    """Somebody's own: no crop that stands alone."""

    def __call__(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Augmented:
        return Augmented(frames[..., :24, :24].float().div(255).transpose(0, 1), (0.0, 0.0, 0.75, 0.5))


COMPONENT = Component(kind="augmentation", options=AugmentationOptions, build=lambda options, clip: OneStep())


def test_an_augmentation_of_one_step_is_finished_by_the_loader(source: VideoSource) -> None:
    own = {"name": __name__}
    made, expected = loader(source, False, augment=own), loader(source, True, augment=own)
    batch = next(iter(made.epoch(0)))
    assert made.finished(batch) is batch
    assert torch.equal(batch.views["query"].clips, next(iter(expected.epoch(0))).views["query"].clips)
