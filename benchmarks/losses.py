"""Time and memory of TCLR's losses, vectorised, beside the same losses in Python loops.

    python benchmarks/losses.py [--quick]

What is measured: forward and backward of each loss on one thread in float32, at batch 40, four timesteps, two copies of
every clip and embeddings of 128 channels (TCLR's released size). All forms are checked to give the same value and
gradient, and take turns round by round; the median over rounds of the process's CPU time is given, so that other load
on the machine counts little. Memory is the most that torch's allocator holds at once during one pass beyond the
embeddings, summed from the profiler's record of every allocation; the interpreter's own is not in it.

- vectorised: `raysl.objectives.losses.temporal_contrast` and `nt_xent_of_all_pairs`;
- as released: the loops of TCLR's code, written anew around one matrix product and one cross-entropy. The local-local
  loss is an NT-Xent of 8 rows for each video in turn, the instance loss one of 80 rows for each of 56 pairs of local
  views; the global-local loss loops over the four pairs of copies alone;
- loops: over videos, copies and timesteps, one anchor at a time against all its candidates.

Acceptance: all three together are at least 50 times as fast as loops and twice as fast as the released form, and hold
no more memory than either. On a GPU, where a small kernel costs its launch, the loops' many small ones cost more still.

Theoretical minimum: the products of rows, 320 x 320 of 128 channels for the instance loss and 8 x 8 within each of 40
videos for the others: 28 MFLOP forward and twice that backward, about 2 ms at 40 GFLOP/s; the logits take 0.4 MB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import permutations, product
from pathlib import Path

import torch
import torch.nn.functional as F
from figures import Figure, print_figures
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from raysl.objectives.frameworks.tclr_released_term import nt_xent_of_all_pairs
from raysl.objectives.losses.temporal_contrast import global_local, local_local

BATCH, STEPS, COPIES, DIM, TEMPERATURE = 40, 4, 2, 128, 0.1
Loss = Callable[[Tensor, Tensor], Tensor]
"""From slices and local embeddings, ``[B, 2, N, d]`` each, to a scalar."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 11")
    rounds = 3 if parser.parse_args().quick else 11
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    inputs = tuple(torch.randn(BATCH, COPIES, STEPS, DIM, generator=generator).requires_grad_() for _ in range(2))
    figures = []
    print(f"{'forward + backward':<18} {'form':<12} {'CPU ms':>9} {'to ours':>8} {'MB':>8} {'to ours':>8}")
    for name, forms in LOSSES.items():
        check_equal(forms, inputs)
        spent = take_turns(forms, inputs, rounds)
        held = {form: most_held(loss, inputs) / 1e6 for form, loss in forms.items()}
        for form in forms:
            time_ratio, memory_ratio = spent[form] / spent["vectorised"], held[form] / held["vectorised"]
            print(f"{name:<18} {form:<12} {spent[form]:9.2f} {time_ratio:7.1f}x {held[form]:8.3f} {memory_ratio:7.1f}x")
        for peer in ("as released", "loops"):
            rates = 1e3 / spent["vectorised"], 1e3 / spent[peer]
            goal = GOALS[peer] if name == "all three" else None
            figures.append(Figure(f"{name} speed vs {peer}", *rates, "passes/CPU s", goal=goal))
            bound = 1.0 if name == "all three" else None
            memory = held["vectorised"], held[peer]
            figures.append(Figure(f"{name} memory vs {peer}", *memory, "MB", goal=bound, better="less"))
    print_figures(figures)


def gradients(loss: Loss, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The loss and its gradients, of those inputs that it reads."""
    value = loss(*inputs)
    found = torch.autograd.grad(value, inputs, allow_unused=True)
    return value, *(gradient for gradient in found if gradient is not None)


def check_equal(forms: dict[str, Loss], inputs: tuple[Tensor, ...]) -> None:
    exact = tuple(rows.detach().double().requires_grad_() for rows in inputs)
    expected = gradients(forms["vectorised"], exact)
    for loss in forms.values():
        torch.testing.assert_close(gradients(loss, exact), expected, rtol=1e-9, atol=1e-11)


def take_turns(forms: dict[str, Loss], inputs: tuple[Tensor, ...], rounds: int) -> dict[str, float]:
    """CPU milliseconds of a pass by form, median over rounds after one round of warm-up."""
    spent: dict[str, list[float]] = {form: [] for form in forms}
    for turn in range(rounds + 1):
        for form, loss in forms.items():
            repeats = 20 if form == "vectorised" else 1
            started = time.process_time()
            for _ in range(repeats):
                gradients(loss, inputs)
            if turn:
                spent[form].append((time.process_time() - started) / repeats * 1e3)
    return {form: statistics.median(times) for form, times in spent.items()}


def most_held(loss: Loss, inputs: tuple[Tensor, ...]) -> int:
    """The most bytes that one pass holds at once."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            gradients(loss, inputs)
        profiler.export_chrome_trace(str(trace))
        events = [event for event in json.loads(trace.read_text())["traceEvents"] if event.get("name") == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event["ts"]):
        held += event["args"]["Bytes"]
        most = max(most, held)
    return most


def views_of(local: Tensor) -> Tensor:
    """``[B, 2, N, d]`` to ``[B, 2 N, d]``."""
    return local.flatten(1, 2)


def vectorised_local(slices: Tensor, local: Tensor) -> Tensor:
    return local_local(local[:, 0], local[:, 1], TEMPERATURE).sum() / STEPS


def vectorised_global(slices: Tensor, local: Tensor) -> Tensor:
    return global_local(slices, local, TEMPERATURE).sum() / BATCH


def vectorised_instance(slices: Tensor, local: Tensor) -> Tensor:
    return nt_xent_of_all_pairs(views_of(local), TEMPERATURE) / COPIES**2


def nt_xent_of_rows(rows: Tensor) -> Tensor:
    """NT-Xent of ``[2 n, d]`` rows of length 1, those of the first view and then those of the second."""
    count = len(rows)
    logits = (rows @ rows.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(count).roll(count // 2))


def released_local(slices: Tensor, local: Tensor) -> Tensor:
    return torch.stack([nt_xent_of_rows(rows) for rows in views_of(F.normalize(local, dim=3))]).sum()


def released_global(slices: Tensor, local: Tensor) -> Tensor:
    unit_slices, unit_local = F.normalize(slices, dim=3), F.normalize(local, dim=3)
    labels = torch.arange(STEPS).repeat(2 * BATCH)
    losses = []
    for a, c in product(range(COPIES), repeat=2):
        matrix = unit_slices[:, a] @ unit_local[:, c].mT / TEMPERATURE
        both = torch.cat([matrix, matrix.mT]).flatten(0, 1)
        losses.append(F.cross_entropy(both, labels, reduction="sum") / (2 * BATCH))
    return torch.stack(losses).sum()


def released_instance(slices: Tensor, local: Tensor) -> Tensor:
    views = views_of(F.normalize(local, dim=3)).unbind(dim=1)
    return torch.stack([nt_xent_of_rows(torch.cat(pair)) for pair in permutations(views, 2)]).sum() / COPIES**2


def contrast_each(rows: Tensor) -> Tensor:
    """`nt_xent_of_rows`, anchor by anchor."""
    count = len(rows)
    losses = []
    for i in range(count):
        logits = rows @ rows[i] / TEMPERATURE
        others = torch.cat([logits[:i], logits[i + 1 :]])
        losses.append(others.logsumexp(dim=0) - logits[(i + count // 2) % count])
    return torch.stack(losses).mean()


def looped_local(slices: Tensor, local: Tensor) -> Tensor:
    return torch.stack([contrast_each(rows) for rows in views_of(F.normalize(local, dim=3))]).sum()


def looped_global(slices: Tensor, local: Tensor) -> Tensor:
    losses = []
    for g, clips in zip(F.normalize(slices, dim=3), F.normalize(local, dim=3), strict=True):
        for a, c in product(range(COPIES), repeat=2):
            for p in range(STEPS):
                for anchor, candidates in ((g[a, p], clips[c]), (clips[c, p], g[a])):
                    logits = candidates @ anchor / TEMPERATURE
                    losses.append(logits.logsumexp(dim=0) - logits[p])
    return torch.stack(losses).sum() / (2 * BATCH)


def looped_instance(slices: Tensor, local: Tensor) -> Tensor:
    views = views_of(F.normalize(local, dim=3)).unbind(dim=1)
    return torch.stack([contrast_each(torch.cat(pair)) for pair in permutations(views, 2)]).sum() / COPIES**2


def all_of(losses: list[Loss], slices: Tensor, local: Tensor) -> Tensor:
    return torch.stack([loss(slices, local) for loss in losses]).sum()


FORMS = ("vectorised", "as released", "loops")
GOALS = {"as released": 2.0, "loops": 50.0}
"""Of the speed of all three losses together."""
LOSSES: dict[str, dict[str, Loss]] = {
    "local-local": dict(zip(FORMS, (vectorised_local, released_local, looped_local), strict=True)),
    "global-local": dict(zip(FORMS, (vectorised_global, released_global, looped_global), strict=True)),
    "instance": dict(zip(FORMS, (vectorised_instance, released_instance, looped_instance), strict=True)),
}
LOSSES["all three"] = {form: partial(all_of, [forms[form] for forms in LOSSES.values()]) for form in FORMS}


if __name__ == "__main__":
    main()
