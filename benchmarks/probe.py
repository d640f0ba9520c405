"""How the solver's tolerance changes what the linear probe predicts, and what an exact solution costs.

    python benchmarks/probe.py [--quick]

Features are drawn: rectified Gaussians about a centre of each class, standardised, as a network's pooled outputs are.
Predictions of 500 further ones at each c of the probe's grid are compared with those at a gradient of 1e-9. `warm`:
each c begins at the weights of the one before. One process; for a clean comparison set OMP_NUM_THREADS=1.

Acceptance: the default, which is the last line, differs from an exact solution in at most half a percent of predictions
at every c, and costs no more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from figures import Figure, print_figures
from numpy.typing import NDArray

from raysl.evaluation.logistic import Solver
from raysl.evaluation.protocols.linear import LinearOptions

OURS = LinearOptions()
SOLVERS = {
    "1e-4 cold, as scikit-learn": Solver(1e-4, 1000, False),
    "1e-6 cold": Solver(1e-6, OURS.iterations, False),
    "1e-6 warm": Solver(1e-6, OURS.iterations, True),
    "default": OURS.solver,
}
MOST_DIFFER = 0.5
"""Percent of predictions that may be others than an exact solution's, at any c of the grid."""
SIZES = ((453, 512, 5), (600, 512, 20), (1500, 512, 101))
"""Training videos, channels and classes; the first are those of five classes of UCF101."""


def drawn(videos: int, channels: int, classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """``[V, D]`` and ``[V]``."""
    generator = np.random.default_rng(0)
    centres, label = generator.normal(size=(classes, channels)), generator.integers(0, classes, videos)
    noise = generator.normal(size=(videos, channels))
    return np.maximum(0.12 * centres[label] + noise, 0).astype(np.float32), label


def compare(videos: int, channels: int, classes: int) -> Iterator[Figure]:
    """Prints the table of one size, and gives what our solver costs beside an exact one and how it predicts."""
    values, label = drawn(videos + 500, channels, classes)
    train, test = (values[:videos], label[:videos]), values[videos:]

    def predictions(solver: Solver) -> list[NDArray[np.int64]]:
        fits = solver.along(*train, OURS.grid, OURS.normalize)
        return [one.probabilities(test).argmax(axis=1) for one in fits]

    began = time.process_time()
    exact = predictions(Solver(1e-9, 10**6, True))
    cost_of_exact = time.process_time() - began
    print(f"\n{videos} videos, {channels} channels, {classes} classes; percent of predictions that differ at c")
    print(f"{'':<28}" + "".join(f"{c:>8g}" for c in OURS.grid) + f"{'seconds':>10}")
    for name, solver in SOLVERS.items():
        began = time.process_time()
        found = predictions(solver)
        seconds = time.process_time() - began
        differ = [100 * float(np.mean(own != other)) for own, other in zip(found, exact, strict=True)]
        print(f"{name:<28}" + "".join(f"{share:8.1f}" for share in differ) + f"{seconds:10.1f}")
    size = f"of {videos} x {channels}, {classes} classes"
    yield Figure(f"probe {size} vs exact", seconds, cost_of_exact, "CPU s", goal=1.0, floor=1.1, better="less")
    yield Figure(f"probe {size}, other predictions vs a limit", max(differ), MOST_DIFFER, "%", goal=1.0, better="less")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size alone")
    sizes = SIZES[:1] if parser.parse_args().quick else SIZES
    print_figures([figure for size in sizes for figure in compare(*size)])


if __name__ == "__main__":
    main()
