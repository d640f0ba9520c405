"""A network applied a few videos at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.models.chunks import in_chunks


class Seen(nn.Module):
    """Keeps how many rows passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def forward(self, rows: Tensor) -> Tensor:
        self.rows.append(len(rows))
        return 2 * rows


@pytest.mark.parametrize(("chunk", "expected"), [(None, [6]), (6, [6]), (8, [6]), (3, [3, 3]), (4, [4, 2])])
def test_without_batch_norm_groups(chunk: int | None, expected: list[int]) -> None:
    seen, rows = Seen(), torch.randn(6, 2, 3)
    assert torch.equal(in_chunks(seen, rows, chunk), 2 * rows)
    assert seen.rows == expected


def network(group: int) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(Seen(), nn.Conv3d(3, 4, 3, bias=False), nn.BatchNorm3d(4), nn.ReLU()).double()
    return convert_batch_norm(net, Grouping(8, group))


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("chunk", [2, 4])
def test_groups_and_their_statistics_stay(chunk: int, views: int) -> None:
    whole, parts = network(2), network(2)
    clips = torch.randn(views * 8, 3, 4, 6, 6).double()
    for _ in range(2):
        torch.testing.assert_close(in_chunks(parts, clips, chunk), in_chunks(whole, clips, None))
    assert whole[0].rows == [views * 8] * 2
    assert parts[0].rows == [views * chunk] * (2 * 8 // chunk)
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[key], value)


def test_a_chunk_holds_whole_groups_of_whole_videos() -> None:
    with pytest.raises(ValueError, match="no whole batch-norm groups of 4"):
        in_chunks(network(4), torch.randn(8, 3, 4, 6, 6).double(), 2)
    with pytest.raises(ValueError, match="9 rows are not the same number of views of each of 8 videos"):
        in_chunks(network(4), torch.randn(9, 3, 4, 6, 6).double(), 4)
