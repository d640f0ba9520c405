"""`raysl status`: what is done, running, failed or missing."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from raysl.commands.inputs import Planned
from raysl.commands.searches import search_line, with_known_best
from raysl.planning.locate import Locator
from raysl.planning.plan import PlannedCell
from raysl.results import open as open_store
from raysl.results.store import Store


def print_status(planned: list[Planned], storage: str, console: Console) -> None:
    """One line a cell, and the counts of each study."""
    store = open_store(storage)
    locator = Locator(store)
    for item in with_known_best(planned, store):
        table = Table(title=f"{item.study.options.title}  [{item.study.name}]", title_justify="left")
        for heading in ("row", "seed", "cell", "state", "evaluations", "note"):
            table.add_column(heading, overflow="fold")
        counts: Counter[str] = Counter()
        for cell in item.cells:
            state, evaluations, note = _line(cell, store, locator)
            counts[state] += 1
            table.add_row(cell.row, str(cell.seed), cell.id, state, evaluations, note)
        console.print(table)
        line = search_line(item, store)
        if line is not None:
            console.print(line, highlight=False)
        console.print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))


def _line(cell: PlannedCell, store: Store, locator: Locator) -> tuple[str, str, str]:
    name = locator.folder(cell)
    if name is None:
        return "missing", f"0/{len(cell.evaluations)}", ""
    folder = store.named(name)
    state = folder.state()
    records = folder.evaluations() if state.status != "missing" else {}
    found = [records.get(locator.evaluation(evaluation) or "") for evaluation in cell.evaluations]
    failed = [record for record in found if record is not None and record.get("status") == "failed"]
    done = len([record for record in found if record is not None]) - len(failed)
    notes = [state.reason] if state.reason else []
    notes += [f"evaluation failed: {record.get('reason', '')}" for record in failed]
    if state.progress and state.status in ("running", "interrupted"):
        notes.append(", ".join(f"{key} {value}" for key, value in state.progress.items()))
    return state.status, f"{done}/{len(cell.evaluations)}", "; ".join(notes)
