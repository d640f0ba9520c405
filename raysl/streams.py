"""Random streams keyed by their purpose, so that nothing else can change them.

A stream depends only on its key (seed, epoch, video, view, purpose): not on the number of workers, not on the
order in which videos are loaded, not on another task being switched on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Key = int | str


def _digest(key: tuple[Key, ...]) -> bytes:
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def stream(*key: Key) -> np.random.Generator:
    """A NumPy generator for this key, e.g. ``stream(seed, epoch, video, "query", "augment")``."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(key), "little")))


def torch_generator(*key: Key) -> torch.Generator:
    """A CPU torch generator for this key (parameters are drawn on CPU, wherever they are applied)."""
    import torch

    generator = torch.Generator(device="cpu")
    generator.manual_seed(int.from_bytes(_digest(key)[:8], "little") & (2**63 - 1))
    return generator


@contextmanager
def drawn_from(*key: Key) -> Iterator[None]:
    """In its body torch's global CPU generator, which draws initial weights, is this key's; afterwards as before."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(*key).initial_seed())
        yield
