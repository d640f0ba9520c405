"""How cost grows with the size of what is worked on: planning, the store, data sets.

    python benchmarks/growth.py [--quick] [NAME ...]

Every measure of the modules ``growth_*.py`` runs at several sizes, each in a process of its own and in one thread: CPU
seconds, and the peak memory of the process. Printed with them is the exponent: the slope of the logarithm of seconds
over the logarithm of the size, over all sizes, and in brackets from the last but one to the last.

Acceptance: no exponent is above that of n log n at these sizes, 1.1 to 1.2; where a measure has a limit of its own,
its module says so.

Theoretical minimum: 1, where every row, cell or video is touched once; 0, where the work is the same at all sizes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

from figures import Figure, print_figures
from sizes import Cost, Measure, bound, cost, slope

HERE = Path(__file__).resolve().parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="measures whose names begin so (all)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SIZE"), help="measure one size in this process; as JSON")
    parser.add_argument("--figures", metavar="MODULE", help="what this module compares with a peer, in this process")
    given = parser.parse_args()
    sys.path.insert(1, str(HERE.parent))
    measures = {name: measure for module in modules() for name, measure in module.MEASURES.items()}
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(cost(measures[given.one[0]], int(given.one[1]), Path(folder))))
        return
    if given.figures:
        print(json.dumps([asdict(figure) for figure in importlib.import_module(given.figures).figures(given.quick)]))
        return
    wanted = {name: one for name, one in measures.items() if not given.names or name.startswith(tuple(given.names))}
    found = [figure for name, one in wanted.items() for figure in grow(name, one, given.quick)]
    if not given.names:
        compared = [module.__name__ for module in modules() if hasattr(module, "figures")]
        found += [figure for name in compared for figure in figures_of(name, ["--quick"] if given.quick else [])]
    print_figures(found)


def modules() -> list[ModuleType]:
    """Those beside this file that have measures."""
    return [importlib.import_module(path.stem) for path in sorted(HERE.glob("growth_*.py"))]


def grow(name: str, measure: Measure, quick: bool) -> Iterable[Figure]:
    """Measures all sizes, prints them, and gives the exponents."""
    sizes = measure.quick if quick else measure.sizes
    costs = [in_own_process(name, size) for size in sizes]
    print(f"\n{name}\n  {measure.of:>10} {'CPU s':>9} {'peak MB':>9}")
    for size, one in zip(sizes, costs, strict=True):
        more = "".join(f"   {count:g} {what}" for what, count in one.counted.items())
        print(f"  {size:10d} {one.seconds:9.3f} {one.megabytes:9.0f}{more}")
    series = {"": [one.seconds for one in costs]}
    series |= {what: [one.counted[what] for one in costs] for what in costs[0].counted}
    for what, values in series.items():
        goal = measure.goals.get(what) if what else bound(measure.goal, list(sizes))
        yield exponent(f"{name}{what and ', ' + what}", measure.of, list(sizes), values, goal)


def exponent(name: str, of: str, sizes: list[int], values: list[float], goal: float | None) -> Figure:
    whole, last = slope(sizes, values), slope(sizes[-2:], values[-2:])
    print(f"  exponent of {name} in {of}: {whole:.2f} ({last:.2f})", flush=True)
    return Figure(f"growth of {name} in {of}", max(whole, 0.0), 1.0, "exponent", goal=goal, better="less")


def in_own_process(name: str, size: int) -> Cost:
    return Cost(*json.loads(own_process("--one", name, str(size))[-1]))


def figures_of(module: str, options: list[str]) -> Iterable[Figure]:
    """In a process of its own: the peak memory of a command that it starts is not below its own."""
    *said, last = own_process("--figures", module, *options)
    print("\n".join(["", *said]), flush=True)
    return [Figure(**values) for values in json.loads(last)]


def own_process(*arguments: str) -> list[str]:
    """The lines that this script prints with these arguments, in one thread."""
    one_thread = dict.fromkeys(THREADS, "1")
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **one_thread})
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
