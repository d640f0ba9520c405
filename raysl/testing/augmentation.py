"""What every augmentation keeps: a clip in [0, 1] and its box, by one draw for all frames, from its stream alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from raysl.streams import stream
from raysl.testing.component import TrainedContract
from raysl.testing.pair_sampler import clip_options
from raysl.views.augmentation import Augmentation, TwoStepAugmentation


class AugmentationContract(TrainedContract):
    """Of an augmentation: ``COMPONENT = Component(kind="augmentation", ...)``.

    Attributes:
        once: options that switch off what draws for every frame by design.
    """

    kind: ClassVar[str] = "augmentation"
    place: ClassVar[str] = "augment"
    once: dict[str, Any] = {}  # noqa: RUF012

    def build(self, **options: Any) -> Augmentation:
        """For clips of 24 pixels."""
        augmentation = self.found.build(self.resolved(**options), clip_options())
        assert isinstance(augmentation, Augmentation)
        return augmentation

    def test_gives_a_clip_and_a_box_and_leaves_its_input(self) -> None:
        frames = noise()
        before = frames.clone()
        for key in range(20):
            clip, box = self.build()(frames, stream(key))
            assert clip.shape == (3, 5, 24, 24)
            assert clip.dtype == torch.float32
            assert 0 <= clip.min() <= clip.max() <= 1
            top, left, height, width = box
            assert min(box) >= 0
            assert top + height <= 1 + 1e-9
            assert left + width <= 1 + 1e-9
        assert torch.equal(frames, before)

    def test_one_draw_serves_all_frames(self) -> None:
        static = noise(1).expand(5, -1, -1, -1)
        for key in range(20):
            clip, _ = self.build(**self.once)(static, stream(key))
            assert torch.equal(clip, clip[:, :1].expand_as(clip))

    def test_clips_finished_together_are_those_finished_alone(self) -> None:
        """On a GPU the second step of a `TwoStepAugmentation` is taken for all clips of a batch."""
        augmentation = self.build(**self.once)
        if not isinstance(augmentation, TwoStepAugmentation):
            return
        cropped = [augmentation.crop(noise(), stream(key)) for key in range(8)]
        pixels = torch.stack([one.pixels for one in cropped]).to(torch.float32).div_(255.0)
        together = augmentation.finish_all(pixels, [one.drawn[0] for one in cropped])
        for one, finished in zip(cropped, together, strict=True):
            torch.testing.assert_close(augmentation.augmented(one).clip, finished.transpose(0, 1), atol=1e-5, rtol=0)

    def test_equal_streams_give_equal_bits_and_no_global_stream_moves(self) -> None:
        torch_state, numpy_state = torch.get_rng_state(), global_state()
        first, again = self.build()(noise(), stream(1)), self.build()(noise(), stream(1))
        assert torch.equal(first.clip, again.clip)
        assert first.box == again.box
        assert torch.equal(torch.get_rng_state(), torch_state)
        assert np.array_equal(global_state(), numpy_state)


def noise(frames: int = 5, height: int = 40, width: int = 56) -> Tensor:
    """``[frames, 3, height, width]`` uint8, the same at each call."""
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (frames, 3, height, width), dtype=torch.uint8, generator=draw)


def global_state() -> NDArray[np.uint32]:
    """Of numpy's global generator."""
    state: Any = np.random.get_state(legacy=False)
    return np.array(state["state"]["key"])
