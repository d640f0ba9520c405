"""``python -m tests.search_spaces.smoke FOLDER [OPTION...]``: every shipped study at the scale of seconds.

Tables are computed without Ray, two cells beside each other; then searches, whose trials Ray schedules. Options are
those of ``raysl run``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from raysl.cli import main as raysl
from raysl.config.document import load_document
from tests.search_spaces.image_weights import save_image_weights
from tests.search_spaces.shipped import STUDIES


def run(studies: Sequence[Path], folder: Path, *options: str) -> int:
    """The exit status of ``raysl run``."""
    places = ["--storage", str(folder / "store"), "--reports", str(folder / "reports")]
    sys.argv = ["raysl", "run", *map(str, studies), "--scale", "smoke", *places, "--format", "md,csv,latex", *options]
    try:
        raysl()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def main(folder: Path, *options: str) -> int:
    searches = [path for path in STUDIES if load_document(path).data.get("design") == "search"]
    tables = [path for path in STUDIES if path not in searches]
    roots = [f"--root={file.stem}={file}" for file in save_image_weights(folder / "weights")]
    ended = run(tables, folder, "--local", "--max-concurrent", "2", *roots, *options)
    return max(ended, run(searches, folder, *options))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
