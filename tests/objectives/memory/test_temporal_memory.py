"""The temporal memory bank: its rates by hand, what enters it and when, its draws, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.objective_sections import MemoryOptions
from raysl.errors import ConfigError, DataError
from raysl.objectives.build import build_objective
from raysl.objectives.memory.bank_checks import check_negatives
from raysl.objectives.memory.temporal_memory import TemporalMemory, update_rates
from raysl.streams import stream
from tests.cells import tiny_cell

VIDEOS = (2, 3, 7, 11, 40)
UPDATES = ("own_only", "intended", "literal")
ROOT = math.sqrt(0.15**2 + 0.85**2)


def memory(videos: Any = VIDEOS, dim: int = 3, **options: Any) -> TemporalMemory:
    torch.manual_seed(0)
    return TemporalMemory(videos, dim, MemoryOptions(**options))


def rates(center: float, **options: Any) -> list[float]:
    found: list[float] = update_rates(torch.tensor([center], dtype=torch.float64), MemoryOptions(**options))[0].tolist()
    return found


def embeddings(rows: int, dim: int = 3, seed: int = 1) -> Tensor:
    return 3 * torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


class TestRates:
    @pytest.mark.parametrize(("update", "other"), [("own_only", 0.0), ("intended", 0.15), ("literal", 0.85)])
    def test_in_the_middle_of_the_first_of_two_cells(self, update: str, other: float) -> None:
        assert rates(0.25, cells=2, update=update) == pytest.approx([0.5, other])
        assert rates(0.75, cells=2, update=update) == pytest.approx([other, 0.5])

    @pytest.mark.parametrize("update", UPDATES)
    @pytest.mark.parametrize("center", [0.0, 0.3, 1.0])
    def test_one_cell_is_every_clips_own(self, update: str, center: float) -> None:
        assert rates(center, cells=1, momentum=0.2, update=update) == pytest.approx([0.8])

    @pytest.mark.parametrize(
        ("update", "middle", "last"),
        [("own_only", 0.0, 0.0), ("intended", 0.15, 0.05), ("literal", 0.85, 0.95)],
    )
    def test_at_both_ends_of_three_cells(self, update: str, middle: float, last: float) -> None:
        assert rates(0.0, cells=3, update=update) == pytest.approx([0.5, middle, last])
        assert rates(1.0, cells=3, update=update) == pytest.approx([last, middle, 0.5])

    def test_a_clip_between_two_cells_is_of_the_later(self) -> None:
        assert rates(0.5, cells=2, update="own_only") == [0.0, 0.5]

    @pytest.mark.parametrize("update", UPDATES)
    @pytest.mark.parametrize("cells", [1, 2, 3, 5])
    def test_equal_a_loop_over_the_formula(self, update: Any, cells: int) -> None:
        options = MemoryOptions(cells=cells, momentum=0.7, attenuation=0.4, update=update)
        centers = torch.rand(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        for center, found in zip(centers.tolist(), update_rates(centers, options), strict=True):
            for index in range(1, cells + 1):
                distance = abs((2 * index - 1) / (2 * cells) - center)
                if (index - 1) / cells < center < index / cells:
                    kept = 0.7
                elif update == "own_only":
                    kept = 1.0
                elif update == "intended":
                    kept = 1 - (1 - distance) * 0.4 * (1 - 0.7)
                else:
                    kept = (1 - distance) * 0.4 * 0.7
                assert found[index - 1].item() == pytest.approx(1 - kept)


class TestUpdate:
    @pytest.mark.parametrize(
        ("update", "neighbour"),
        [("own_only", (0.0, 1.0)), ("intended", (0.15 / ROOT, 0.85 / ROOT)), ("literal", (0.85 / ROOT, 0.15 / ROOT))],
    )
    def test_by_hand(self, update: str, neighbour: tuple[float, float]) -> None:
        bank = memory(dim=2, update=update)
        bank.entries[2] = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
        before = bank.entries.clone()
        bank.observe("query", torch.tensor([7]), torch.tensor([0.25]), torch.tensor([[5.0, 0.0]]))
        bank.commit()
        own = (1 / math.sqrt(2), 1 / math.sqrt(2))
        torch.testing.assert_close(bank.entries[2], torch.tensor([own, neighbour]))
        others = [0, 1, 3, 4]
        assert torch.equal(bank.entries[others], before[others])

    @pytest.mark.parametrize("update", UPDATES)
    @pytest.mark.parametrize("cells", [1, 2, 3])
    def test_views_enter_in_the_order_in_which_they_were_observed(self, update: Any, cells: int) -> None:
        bank, options = memory(cells=cells, update=update), MemoryOptions(cells=cells, update=update)
        expected = bank.entries.clone()
        videos, seen = torch.tensor([40, 3]), {name: embeddings(2, seed=seed) for seed, name in enumerate("qk")}
        centers = {"q": torch.tensor([0.1, 0.9]), "k": torch.tensor([0.6, 0.2])}
        for name in "qk":
            bank.observe(name, videos, centers[name], seen[name])
        bank.commit()
        for name in "qk":
            for clip, row in enumerate((4, 1)):
                shares = update_rates(centers[name][clip : clip + 1], options)[0]
                z = seen[name][clip] / seen[name][clip].norm()
                for cell in range(cells):
                    mixed = (1 - shares[cell]) * expected[row, cell] + shares[cell] * z
                    expected[row, cell] = mixed / mixed.norm()
        torch.testing.assert_close(bank.entries, expected)

    @pytest.mark.parametrize("update", UPDATES)
    def test_entries_keep_length_one(self, update: str) -> None:
        bank = memory(cells=3, update=update)
        for step in range(5):
            bank.observe("query", torch.tensor(VIDEOS), torch.rand(5), embeddings(5, seed=step))
            bank.commit()
        torch.testing.assert_close(bank.entries.norm(dim=-1), torch.ones(5, 3))

    def test_a_view_that_two_terms_show_enters_once_and_that_of_another_batch_again(self) -> None:
        once, twice, again = memory(), memory(), memory()
        videos, centers, rows = torch.tensor([2, 3]), torch.tensor([0.2, 0.7]), embeddings(2)
        for bank, times in ((once, 1), (twice, 2)):
            for _ in range(times):
                bank.observe("query", videos, centers, rows)
            bank.commit()
        for _ in range(2):
            again.observe("query", videos.clone(), centers, rows)
        again.commit()
        assert torch.equal(once.entries, twice.entries)
        assert not torch.equal(once.entries, again.entries)

    def test_nothing_moves_before_the_commit_and_once_committed_nothing_is_left(self) -> None:
        bank = memory()
        before = bank.entries.clone()
        bank.observe("query", torch.tensor([2]), torch.tensor([0.2]), embeddings(1))
        assert torch.equal(bank.entries, before)
        bank.commit()
        after = bank.entries.clone()
        assert not torch.equal(after, before)
        bank.commit()
        assert torch.equal(bank.entries, after)

    def test_a_step_that_was_not_finished_leaves_nothing(self) -> None:
        bank = memory()
        before = bank.entries.clone()
        bank.observe("query", torch.tensor([2]), torch.tensor([0.2]), embeddings(1))
        bank.begin_step()
        bank.commit()
        assert torch.equal(bank.entries, before)

    def test_carries_no_gradient(self) -> None:
        bank, rows = memory(), embeddings(2).requires_grad_()
        bank.observe("query", torch.tensor([2, 3]), torch.tensor([0.2, 0.7]), rows)
        bank.commit()
        for found in (bank.entries, bank.video_features(torch.tensor([2])), bank.draw(torch.tensor([2]), 3, 0)):
            assert not found.requires_grad


class TestDraw:
    def places(self, bank: TemporalMemory, drawn: Tensor) -> list[tuple[int, int]]:
        """Row and cell of each entry drawn."""
        matches = (bank.entries[None] == drawn[:, None, None]).all(dim=-1).nonzero()
        assert len(matches) == len(drawn)
        return [(row, cell) for _, row, cell in matches.tolist()]

    @pytest.mark.parametrize("negatives", [1, 5, 28])
    def test_is_of_distinct_entries_of_videos_outside_the_batch(self, negatives: int) -> None:
        bank, videos = memory(range(0, 20, 2), cells=4), torch.tensor([0, 18, 8])
        for step in range(20):
            places = self.places(bank, bank.draw(videos, negatives, 0, step))
            assert len(set(places)) == negatives
            assert not {row for row, _ in places} & {0, 9, 4}
        if negatives == 28:
            assert set(places) == {(row, cell) for row in (1, 2, 3, 5, 6, 7, 8) for cell in range(4)}

    def test_equals_a_choice_among_a_list_of_all_that_are_outside(self) -> None:
        bank = memory(range(50), cells=3)
        for step in range(10):
            videos = torch.from_numpy(stream(step).permutation(50)[:20])
            outside = [(row, cell) for row in range(50) if row not in videos.tolist() for cell in range(3)]
            chosen = stream(5, step).choice(len(outside), size=11, replace=False, shuffle=False)
            assert self.places(bank, bank.draw(videos, 11, 5, step)) == [outside[index] for index in chosen]

    def test_every_entry_outside_is_drawn_as_often(self) -> None:
        bank, counts = memory(range(8), cells=2), np.zeros((8, 2))
        for step in range(1200):
            for place in self.places(bank, bank.draw(torch.tensor([1, 6]), 4, 0, step)):
                counts[place] += 1
        assert not counts[[1, 6]].any()
        assert (np.abs(counts[[0, 2, 3, 4, 5, 7]] - 400) < 5 * math.sqrt(400)).all()

    def test_depends_on_key_and_batch_alone(self) -> None:
        bank, videos = memory(range(20)), torch.tensor([4, 9, 1])
        drawn = bank.draw(videos, 8, 0, 3, "bank negatives")
        torch.rand(3)  # torch's own generator has no part in it
        assert torch.equal(drawn, bank.draw(videos.flip(0), 8, 0, 3, "bank negatives"))
        for other in ((1, 3, "bank negatives"), (0, 4, "bank negatives")):
            assert not torch.equal(drawn, bank.draw(videos, 8, *other))


def test_a_videos_feature_is_the_mean_over_its_cells() -> None:
    bank = memory(cells=3)
    found = bank.video_features(torch.tensor([40, 2]))
    torch.testing.assert_close(found, torch.stack([bank.entries[row].sum(dim=0) / 3 for row in (4, 0)]))


@pytest.mark.parametrize("missing", [0, 4, 41])
def test_a_video_without_a_row_is_named(missing: int) -> None:
    bank, videos = memory(), torch.tensor([2, missing])
    with pytest.raises(DataError, match=f"video {missing} of the catalog has no row"):
        bank.draw(videos, 2, 0)
    with pytest.raises(DataError, match=f"video {missing} of the catalog has no row"):
        bank.video_features(videos)
    bank.observe("query", videos, torch.tensor([0.5, 0.5]), embeddings(2))
    with pytest.raises(DataError, match=f"video {missing} of the catalog has no row"):
        bank.commit()


def test_more_negatives_than_entries_outside_a_batch_are_refused() -> None:
    options = MemoryOptions(cells=2)
    check_negatives(6, 5, 2, options)
    with pytest.raises(ConfigError, match=r"7 negatives .* 6 entries \(5 training videos.*bank_negatives to 6 or less"):
        check_negatives(7, 5, 2, options)
    with pytest.raises(ConfigError, match="bank_negatives to 0 or less"):
        check_negatives(1, 5, 8, options)


@pytest.mark.parametrize("key", ["cells", "momentum", "attenuation", "update"])
def test_bad_options_are_refused_when_the_cell_is_loaded(key: str) -> None:
    bad = {"cells": 0, "momentum": 1.5, "attenuation": -0.1, "update": "printed"}[key]
    with pytest.raises(ConfigError, match=rf"objective\.memory\.{key}.*{bad}"):
        tiny_cell({f"objective.memory.{key}": bad})


def test_starts_in_random_directions_of_length_one() -> None:
    bank = memory(range(2000), dim=16)
    torch.testing.assert_close(bank.entries.norm(dim=-1), torch.ones(2000, 2))
    assert bank.entries.mean(dim=(0, 1)).abs().max() < 0.03
    assert bank.entries.square().mean(dim=(0, 1)).numpy() == pytest.approx(1 / 16, rel=0.15)


def test_starts_from_the_seed_whatever_else_is_trained() -> None:
    shared = {"objective.projector": {"output_dim": 8}, "objective.memory": {}, "objective.clip_to_video": {}}

    def start(**changes: Any) -> Tensor:
        objective = build_objective(tiny_cell({**shared, **changes}), range(16), 4)
        return objective.get_buffer("terms.clip_to_video.memory.entries")

    first = start()
    assert torch.equal(first, start(**{"objective.contrastive": None}))
    assert not torch.equal(first, start(**{"training.seed": 1}))


def test_the_state_is_the_entries() -> None:
    bank, other = memory(), memory()
    bank.observe("query", torch.tensor([2, 3]), torch.tensor([0.2, 0.7]), embeddings(2))
    bank.commit()
    assert set(bank.state_dict()) == {"entries"}
    assert not torch.equal(other.entries, bank.entries)
    other.load_state_dict(bank.state_dict())
    videos = torch.tensor([2, 11])
    assert torch.equal(other.draw(videos, 4, 0), bank.draw(videos, 4, 0))
    assert torch.equal(other.video_features(videos), bank.video_features(videos))


def test_half_precision_embeddings_enter_in_the_banks_own() -> None:
    banks = memory(), memory()
    rows = embeddings(2).bfloat16()
    for bank, given in zip(banks, (rows, rows.float()), strict=True):
        bank.observe("query", torch.tensor([2, 3]), torch.tensor([0.2, 0.7]), given)
        bank.commit()
    assert banks[0].entries.dtype == torch.float32
    assert torch.equal(banks[0].entries, banks[1].entries)
