"""Memory is used again only when nothing refers to it any more."""

from __future__ import annotations

import gc
import pickle

import pytest
import torch

from raysl.views import kept_memory
from raysl.views.kept_memory import KeptMemory


def test_memory_is_used_again_when_every_view_of_it_is_gone() -> None:
    memory = KeptMemory()
    first = memory.empty((4, 3, 5), torch.float32)
    assert (first.shape, first.dtype, first.is_contiguous()) == ((4, 3, 5), torch.float32, True)
    place, held = first.data_ptr(), first[2].detach()
    held.fill_(7.0)
    del first
    gc.collect()
    other = memory.empty((4, 3, 5), torch.float32)
    assert other.data_ptr() != place
    assert torch.equal(held, torch.full((3, 5), 7.0))
    del held
    gc.collect()
    again = memory.empty((60, 4), torch.uint8)
    assert again.data_ptr() == place
    assert memory.empty((4, 3, 5), torch.float32).data_ptr() not in (place, other.data_ptr())


def test_what_a_gradient_needs_is_not_overwritten() -> None:
    memory = KeptMemory()
    weight = torch.ones(6, requires_grad=True)
    clips = memory.empty((6,), torch.float32).fill_(3.0)
    loss = (weight * clips).sum()
    del clips
    memory.empty((6,), torch.float32).fill_(-1.0)
    loss.backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.full((6,), 3.0))


def test_another_process_begins_with_its_own() -> None:
    memory = KeptMemory()
    kept = memory.empty((8,), torch.uint8)
    del kept
    again = pickle.loads(pickle.dumps(memory))
    assert isinstance(again, KeptMemory)
    assert not again._free


def test_a_loader_process_makes_tensors_where_they_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = KeptMemory()
    assert not memory.empty((4, 3), torch.float32).is_shared()
    monkeypatch.setattr(kept_memory, "_in_shared_memory", False)
    kept_memory.use_shared_memory()
    made = memory.empty((4, 3), torch.float32)
    assert (made.shape, made.dtype, made.is_shared()) == ((4, 3), torch.float32, True)
