"""`raysl fidelity`: a page on how faithful the recipes are to their papers."""

from __future__ import annotations

from pathlib import Path

from raysl.commands.inputs import load_studies
from raysl.commands.terminal import PlainConsole
from raysl.config.shipped import all_shipped
from raysl.errors import ConfigError
from raysl.planning.coverage import published_coverage
from raysl.planning.fidelity import fidelity
from raysl.reports.fidelity import fidelity_page


def write_fidelity(folder: Path | None, to: Path, console: PlainConsole, *, check: bool) -> bool:
    """Writes the page, or checks the existing one.

    Args:
        folder: the studies, with ``recipes/`` below it; None: those that raysl ships.
        to: the file.
        check: write nothing.

    Returns:
        False if the file is missing, or differs from what would be written.

    Raises:
        ConfigError: a study or recipe that cannot be read, or a recipe that contradicts its settings; the file's folder
            does not exist.
    """
    command = "raysl fidelity" if folder is None else f"raysl fidelity {folder}"
    folder = all_shipped() if folder is None else folder
    planned = load_studies([folder], None, [])
    matches = [(item.study.name, item.study.published) for item in planned if item.study.published is not None]
    page = fidelity_page(fidelity(folder), published_coverage(matches))
    if check:
        same = to.is_file() and to.read_text(encoding="utf-8") == page
        console.print(f"{to}: {'as it would be written' if same else f'differs: run {command}'}")
        return same
    if not to.parent.is_dir():
        raise ConfigError(f"--to {to}: there is no folder {to.parent}")
    to.write_text(page, encoding="utf-8")
    console.print(f"written: {to}")
    return True
