"""Runs the benchmarks and prints all their figures as one table: `make bench`.

    python -m benchmarks [--full] [NAME ...]

Every file of this folder that prints figures runs in a process of its own, with ``--quick``; its other output is
printed as it comes. The table says of each figure what it was against its peer in the same run, the goal and the floor
of the ratio, and whether they are met. ``--quick`` runs are short, so they tell that something broke, not by how much:
a figure for a document is measured with ``--full``, alone on the machine. The status is 1 if a benchmark failed or a
floor was missed.

What needs a GPU (``gpu_*.py``) runs where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from figures import Figure  # noqa: E402  # a benchmark is a script, which finds the modules beside it

KEYS = {"name", "ours", "peer", "unit", "ratio", "goal", "floor", "better", "verdict"}
HEAD = ("", "figure", "ours", "peer", "unit", "ratio", "goal", "floor")
MARKS = {"met": "ok", "above floor": "short", "missed": "MISSED", "": "told"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of benchmarks: loader, growth, ... (all)")
    parser.add_argument("--full", action="store_true", help="without --quick: an hour or two for all")
    given = parser.parse_args()
    known = benchmarks()
    if unknown := set(given.names) - {path.stem for path in known}:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(path.stem for path in known)}")
    found: list[tuple[str, list[Figure]]] = []
    failed: list[str] = []
    for path in known:
        if given.names and path.stem not in given.names:
            continue
        if path.stem.startswith("gpu_") and not given.names and not Path("/dev/nvidia0").exists():
            print(f"== {path.stem}: left out, there is no GPU", flush=True)
            continue
        figures, status = run(path, [] if given.full else ["--quick"])
        found.append((path.stem, figures))
        if status or not figures:
            failed.append(f"{path.stem} ({f'status {status}' if status else 'no figure'})")
    print(table(found))
    missed = sum(figure.verdict == "missed" for _, figures in found for figure in figures)
    print(f"\n{missed} missed" + (f"; failed: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if missed or failed else 0)


def benchmarks() -> list[Path]:
    """The scripts that print figures."""
    scripts = sorted(HERE.glob("*.py"))
    return [path for path in scripts if path.stem != "__main__" and "\n    print_figures(" in path.read_text()]


def run(path: Path, options: list[str]) -> tuple[list[Figure], int]:
    """Runs one, prints what it says, and gives its figures and its status."""
    print(f"== {path.stem} {' '.join(options)}", flush=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(path), *options]
    figures: list[Figure] = []
    with subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            values = read(line)
            if values is None:
                print(f"  {line}", end="", flush=True)
            else:
                figures.append(Figure(**{key: values[key] for key in KEYS - {"ratio", "verdict"}}))
    return figures, process.returncode


def read(line: str) -> dict[str, Any] | None:
    """The values of a line that is a figure."""
    if not line.startswith('{"name"'):
        return None
    values = json.loads(line)
    return values if set(values) == KEYS else None


def table(found: list[tuple[str, list[Figure]]]) -> str:
    """Lines of aligned columns, a block for each benchmark."""
    blocks = [(name, [cells(figure) for figure in figures]) for name, figures in found]
    every = [HEAD, *(line for _, lines in blocks for line in lines)]
    widths = [max(len(line[column]) for line in every) for column in range(len(HEAD))]

    def shown(line: tuple[str, ...]) -> str:
        left = (0, 1, 4)
        padded = [
            text.ljust(w) if i in left else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join(["", shown(HEAD), *(line for name, lines in blocks for line in (name, *map(shown, lines)))])


def cells(figure: Figure) -> tuple[str, ...]:
    sign = ">=" if figure.better == "more" else "<="
    bounds = ["" if bound is None else f"{sign} {bound:g}" for bound in (figure.goal, figure.floor)]
    numbers = (f"{figure.ours:.4g}", f"{figure.peer:.4g}", figure.unit, f"{figure.ratio:.2f}")
    return (MARKS[figure.verdict], figure.name, *numbers, *bounds)


if __name__ == "__main__":
    main()
