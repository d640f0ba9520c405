"""What every pair sampler keeps: both clips lie in the video or wrap around its end, by the draw it is given."""

from __future__ import annotations

from typing import Any, ClassVar

from raysl.config.sections import ClipOptions
from raysl.streams import stream
from raysl.testing.component import TrainedContract
from raysl.testing.drawn import drawn
from raysl.views.pair_sampler import PairSampler

CLIP: dict[str, Any] = {"frames": 4, "stride": 2, "size": 24, "resize": 32, "input": "rgb"}


def clip_options(**changes: Any) -> ClipOptions:
    """Four frames at stride 2, but for ``changes``."""
    return ClipOptions(**(CLIP | changes))


class PairSamplerContract(TrainedContract):
    """Of a pair sampler: ``COMPONENT = Component(kind="pair sampler", ...)``."""

    kind: ClassVar[str] = "pair sampler"
    place: ClassVar[str] = "sampling.pair"

    def build(self, **clip: object) -> PairSampler:
        """For clips of four frames at stride 2, but for ``clip``."""
        sampler = self.found.build(self.resolved(), clip_options(**clip))
        assert isinstance(sampler, PairSampler)
        return sampler

    def test_places_both_clips_inside_the_video_or_wraps(self) -> None:
        for length, frames, stride, key in drawn(50, (1, 300), (2, 16), (1, 8), (0, 99)):
            for kind in ("rgb", "difference"):
                clip = clip_options(frames=frames, stride=stride, input=kind)
                sampler = self.build(frames=frames, stride=stride, input=kind)
                placements = sampler.place(length, stream(key))
                assert set(placements) == {"query", "key"}
                for placement in placements.values():
                    indices = placement.indices(length)
                    assert (len(indices), placement.frames) == (clip.raw_frames, clip.raw_frames)
                    assert placement.stride in sampler.strides
                    assert all(0 <= index < length for index in indices)
                    assert 0 <= placement.center(length) <= 1
                    assert 0 <= placement.start < length
                    stop = placement.start + clip.raw_frames * placement.stride
                    inside = range(placement.start, stop, placement.stride)
                    assert indices == [index % length for index in inside]
                    # Where a clip at the smallest stride fits, the clip lies inside the video.
                    if length > (clip.raw_frames - 1) * min(sampler.strides):
                        assert inside[-1] < length

    def test_equal_streams_give_equal_pairs(self) -> None:
        sampler, again = self.build(), self.build()
        for key in range(20):
            assert sampler.place(90, stream(7, key)) == again.place(90, stream(7, key))
            assert sampler.pair(90, (32, 48), stream(7, key)) == again.pair(90, (32, 48), stream(7, key))
