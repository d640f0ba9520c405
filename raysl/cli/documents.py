"""Commands that print or write what raysl knows of itself: components, settings, checked-in results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raysl.commands.terminal import PlainConsole


def show(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="A kind (framework), KIND/NAME (framework/moco, framework/package.module), study, scale, or a key "
            "(training, objective.contrastive.temperature).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a configuration can have: kinds, components, keys; with default, unit, bounds and source of each."""
    from raysl.commands.show import show_lines

    PlainConsole().print_lines("\n".join(show_lines(what)))


def reference(
    to: Annotated[Path, typer.Option(help="Folder to write.")] = Path("docs/reference"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a page is not what the code says.")
    ] = False,
) -> None:
    """Write the reference pages: what raysl show says of all keys and components, and these commands."""
    from raysl.cli import app
    from raysl.commands.reference import write_reference

    if not write_reference(app, to, PlainConsole(), check=check):
        raise typer.Exit(1)


def fidelity(
    studies: Annotated[
        Path | None, typer.Argument(help="Folder of studies and recipes; raysl's own without.", show_default=False)
    ] = None,
    to: Annotated[Path, typer.Option(help="File to write.")] = Path("docs/fidelity.md"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where the file is not what is found.")
    ] = False,
) -> None:
    """Write what the recipes have of each paper: as printed, as released, inferred, ours, not there."""
    from raysl.commands.fidelity import write_fidelity

    if not write_fidelity(studies, to, PlainConsole(), check=check):
        raise typer.Exit(1)


def results(
    documents: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Markdown files and folders of them, in which marked places quote reports; default: README.md docs.",
            show_default=False,
        ),
    ] = None,
    reports: Annotated[Path, typer.Option(help="Folder of the reports, each with its store/ beside it.")] = Path(
        "reports"
    ),
    to: Annotated[Path, typer.Option(help="File to write.")] = Path("docs/results.md"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where a file is not as found.")] = False,
) -> None:
    """Write all checked-in reports in short on one page, and what other documents quote from them."""
    from raysl.commands.results import write_results

    quoting = documents if documents is not None else [Path("README.md"), Path("docs")]
    if not write_results(reports, to, quoting, PlainConsole(), check=check):
        raise typer.Exit(1)
