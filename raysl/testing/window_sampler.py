"""What every window sampler keeps: its clips lie in one window of the video, and move the pair by nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from raysl.config.component import names
from raysl.streams import stream
from raysl.testing.cells import tiny_cell
from raysl.testing.component import WINDOWED, TrainedContract
from raysl.testing.pair_sampler import clip_options
from raysl.testing.videos import NumberedSource, loaded_batches
from raysl.views.window_sampler import WindowOptions, WindowSampler

PAIR = ("query", "key")


class WindowSamplerContract(TrainedContract):
    """Of a window sampler: ``COMPONENT = Component(kind="window sampler", ...)``.

    Attributes:
        frames: of the clips that it places, at stride ``stride``.
    """

    kind: ClassVar[str] = "window sampler"
    place: ClassVar[str] = "sampling.windows"
    base = {**WINDOWED, "objective.local_local": {}}  # noqa: RUF012
    frames: int = 16
    stride: int = 4

    def build(self, **clip: Any) -> WindowSampler:
        given = clip_options(**{"frames": self.frames, "stride": self.stride, **clip})
        sampler = self.found.build(self.resolved(), given)
        assert isinstance(sampler, WindowSampler)
        return sampler

    def test_its_options_say_how_many_local_clips_there_are(self) -> None:
        assert issubclass(self.found.options, WindowOptions)
        assert self.resolved().timesteps >= 1

    @pytest.mark.parametrize("kind", ["rgb", "difference"])
    def test_places_each_of_its_views_within_a_video_that_fits(self, kind: str) -> None:
        sampler = self.build(input=kind)
        raw = clip_options(frames=self.frames, input=kind).raw_frames
        fitting = [length for length in range(1, 4 * sampler.span) if sampler.fits(length)]
        assert sampler.fits(sampler.span)
        assert fitting == list(range(fitting[0], 4 * sampler.span)), "a longer video fits too"
        for length in fitting:
            for key in range(3):
                placements = sampler.place(length, stream("windows", key))
                assert tuple(placements) == sampler.view_names
                for placement in placements.values():
                    indices = placement.indices(length)
                    assert len(indices) == placement.frames == raw
                    assert 0 <= min(indices) <= max(indices) < length
                if length >= sampler.span:
                    assert all(
                        placement.start + (raw - 1) * placement.stride < length for placement in placements.values()
                    )

    def test_equal_streams_give_equal_windows(self) -> None:
        length = 2 * self.build().span
        for key in range(20):
            first, again = (self.build().place(length, stream("equal", key)) for _ in range(2))
            assert first == again

    @pytest.mark.parametrize("pair", names("pair sampler"))
    def test_any_pair_stands_beside_the_windows_and_does_not_move_them_nor_they_it(self, pair: str) -> None:
        source = NumberedSource(*range(210, 250, 5))
        windows = {"sampling.windows": {"name": self.component, **self.options}}
        plain = {
            "clip": {"frames": self.frames, "stride": self.stride, "size": 24, "resize": 32},
            "augment": {"name": "none"},
            "sampling.pair": {"name": pair},
            "training.batch_size": 2,
        }
        views = self.build().view_names
        alone = loaded_batches(tiny_cell(plain), source, PAIR)
        beside = loaded_batches(tiny_cell({**plain, **windows}), source, (*PAIR, *views))
        without = loaded_batches(tiny_cell({**plain, **windows, "sampling.pair": None}), source, views)
        for one, both, other in zip(alone, beside, without, strict=True):
            for expected, found in ((one, both), (other, both)):
                for name, view in expected.views.items():
                    assert torch.equal(view.clips, found.views[name].clips)
                    assert torch.equal(view.center, found.views[name].center)
