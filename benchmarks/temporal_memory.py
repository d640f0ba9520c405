"""What it costs that every rank holds and writes the same whole temporal memory bank.

    python benchmarks/temporal_memory.py [--quick] [--threads N] [--device cuda]

What is measured, for 240 000 videos (Kinetics-400) x 2 cells x 512 channels and a global batch of 2048 videos with two
views: the bank's bytes on each rank, those it adds to a checkpoint (two terms share it, under a name each), and the
milliseconds that a step spends drawing 2048 negatives, reading the videos' features for both views, and moving the
entries of both. One process stands for a rank: it does what each does after the gather, which adds on every rank the
bytes of both views' embeddings.

Acceptance: draw, read and update together take less than 100 ms on one CPU core, whatever the number of videos; the
bank is in the checkpoint once.

Theoretical minimum: the draw copies 4 MB; the update reads and writes 8 MB a view, 34 MB in all: about 5 ms at 8 GB/s.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from figures import Figure, print_figures
from torch import Tensor, nn

from raysl.config.objective_sections import MemoryOptions
from raysl.objectives.memory.temporal_memory import TemporalMemory

VIDEOS, CELLS, CHANNELS, BATCH, NEGATIVES = 240_000, 2, 512, 2048, 2048
MOST_MILLISECONDS = 100.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="24 000 videos and 5 steps instead of 240 000 and 20")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (1)")
    parser.add_argument("--device", default="cpu", help="where the bank lies (cpu)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    videos, steps = (VIDEOS // 10, 5) if given.quick else (VIDEOS, 20)
    bank = TemporalMemory(range(videos), CHANNELS, MemoryOptions(cells=CELLS)).to(given.device)
    print(f"{videos} videos x {CELLS} cells x {CHANNELS} channels, global batch {BATCH}, {given.threads} thread(s)\n")
    rows = {
        "bank, MB a rank": bank.entries.nbytes / 1e6,
        "bank in a checkpoint, MB": checkpoint_bytes(bank) / 1e6,
        "gathered a step and rank, MB": 2 * BATCH * CHANNELS * 4 / 1e6,
        **{f"{name}, ms a step": value for name, value in milliseconds(bank, videos, steps).items()},
    }
    for name, value in rows.items():
        print(f"  {name:<44} {value:10.2f}")
    step = sum(value for name, value in rows.items() if name.endswith("ms a step"))
    stored = rows["bank in a checkpoint, MB"], rows["bank, MB a rank"]
    print_figures(
        [
            Figure("temporal memory, a step vs its limit", step, MOST_MILLISECONDS, "ms", goal=1.0, better="less"),
            Figure("temporal memory in a checkpoint vs once", *stored, "MB", goal=1.01, better="less"),
        ]
    )


def checkpoint_bytes(bank: TemporalMemory) -> int:
    """Of a state that names the bank twice."""
    counter = Counter()
    torch.save(nn.ModuleDict({"contrastive": bank, "clip_to_video": bank}).state_dict(), counter)
    return counter.written


class Counter(io.BytesIO):
    """A file that keeps nothing but how much was written."""

    written = 0

    def write(self, data: Any) -> int:
        self.written += len(data)
        return len(data)


def milliseconds(bank: TemporalMemory, videos: int, steps: int) -> dict[str, float]:
    """Median over steps, each on other videos, after two of warm-up."""
    device, spent = bank.entries.device, dict[str, list[float]]()
    for step in range(steps + 2):
        generator = torch.Generator().manual_seed(step)
        batch = torch.randperm(videos, generator=generator)[:BATCH].to(device)
        centers = torch.rand(2, BATCH, generator=generator).to(device)
        embeddings = torch.randn(2, BATCH, CHANNELS, generator=generator).to(device)
        bank.begin_step()
        for view in range(2):
            bank.observe(str(view), batch, centers[view], embeddings[view])
        parts: dict[str, Callable[[], object]] = {
            f"draw of {NEGATIVES} negatives": partial(bank.draw, batch, NEGATIVES, 0, step),
            "features of the videos, both views": partial(features_twice, bank, batch),
            "update, both views": bank.commit,
        }
        for name, part in parts.items():
            spent.setdefault(name, []).append(timed(part, device))
    return {name: 1e3 * statistics.median(values[2:]) for name, values in spent.items()}


def features_twice(bank: TemporalMemory, batch: Tensor) -> list[Tensor]:
    return [bank.video_features(batch) for _ in range(2)]


def timed(part: Callable[[], object], device: torch.device) -> float:
    """Wall seconds, the device's work included."""
    started = time.perf_counter()
    part()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
