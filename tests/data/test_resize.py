from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2.functional import resize

from raysl.data.resize import resize_frames, resized_size

FRAMES = torch.randint(0, 256, (9, 3, 37, 53), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("height", "width", "short", "expected"),
    [(128, 170, 64, (64, 85)), (128, 170, 112, (112, 148)), (170, 128, 64, (85, 64)), (48, 64, 96, (96, 128))],
)
def test_size(height: int, width: int, short: int, expected: tuple[int, int]) -> None:
    assert resized_size(height, width, short) == expected


@pytest.mark.parametrize("short", [16, 31, 37, 64])
def test_a_frame_does_not_depend_on_its_neighbours(short: int) -> None:
    together = resize_frames(FRAMES, short)
    for size in (1, 2, 4):
        assert torch.equal(torch.cat([resize_frames(part, short) for part in FRAMES.split(size)]), together)


@pytest.mark.parametrize("short", [16, 37, 64])
def test_the_memory_layout_does_not_matter(short: int) -> None:
    last = FRAMES.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    strided = torch.cat([FRAMES, FRAMES], dim=3)[..., : FRAMES.shape[3]]
    for frames in (last, strided):
        assert torch.equal(resize_frames(frames, short), resize_frames(FRAMES, short))


def test_nothing_happens_at_the_same_size() -> None:
    assert torch.equal(resize_frames(FRAMES, 37), FRAMES)


@pytest.mark.usefixtures("uint8_resize")
def test_it_is_torchvisions_bilinear_antialiased_resize() -> None:
    assert torch.equal(resize_frames(FRAMES, 20), resize(FRAMES, [20, 28], antialias=True))
