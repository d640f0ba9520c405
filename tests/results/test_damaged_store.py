"""Every kind of file that a store holds, damaged in every way: each command that reads the store says so, or mends it.

A table never has another number than before. A new kind of file fails here until somebody says what becomes of it.
"""

from __future__ import annotations

import io
import logging
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import boto3
import pandas as pd
import pytest

from raysl import results
from raysl.commands.export import export_slim
from raysl.commands.inputs import Planned, load_studies, shelf_of
from raysl.commands.report import write_reports
from raysl.commands.run import run_studies
from raysl.commands.searches import search_name
from raysl.commands.status import print_status
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.errors import RayslError
from raysl.results import SearchTrial, Store
from raysl.training.loop import KilledError
from raysl.training.pretrain import pretrain
from raysl.work.compute import PRETRAINING
from raysl.work.run_cells import RunOptions
from tests.conftest import BUCKET
from tests.data.unprivileged import public_folder, unprivileged
from tests.planning.studies import SEARCH, SMALL_RECIPE, write_study
from tests.work.plans import site_here

pytestmark = pytest.mark.slow

ENDED = """
title: "Cells that ended"
base: recipe
training: {steps: 2}
rows:
  done: {}
  failed: {objective.contrastive: {framework: tests.training.failing_simclr, temperature: 0.1, step: 1}}
baseline: done
seeds: [0]
evaluations: [retrieval/synthetic, tests.work.failing_protocol/synthetic]
"""
MORE = ENDED.replace("[retrieval", "[linear/synthetic, retrieval")
"""An evaluation more, for which the weights are read."""
BEGUN = """
title: "A cell that was interrupted"
base: recipe
training: {steps: 3, checkpoint_steps: 1}
rows: {begun: {}}
seeds: [0]
evaluations: [retrieval/synthetic]
"""

READ_BY_NOBODY = {
    "cells/ended/attempts/A/checkpoints/STEP.json",
    "cells/ended/attempts/A/heartbeat.json",
    "cells/ended/attempts/A/tensorboard/EVENTS",
    "cells/begun/attempts/A/tensorboard/EVENTS",
    "data/read/KEY/HASH",
    "studies/STUDY.json",
}
"""What is for people alone, stands in the cell's own marker too, was of use while the cell was computed, is read
where the data is elsewhere alone, or by commands that name a cell (`tests/results/test_titles.py`)."""

KINDS = {
    "ended": (
        "cells/ended/cell.yaml",
        "cells/ended/provenance.json",
        "cells/ended/done.json",
        "cells/ended/failed.json",
        "cells/ended/evaluations/DONE.json",
        "cells/ended/evaluations/DONE.parquet",
        "cells/ended/evaluations/FAILED.json",
        "cells/ended/attempts/A/checkpoints/STEP.json",
        "cells/ended/attempts/A/curves.csv",
        "cells/ended/attempts/A/heartbeat.json",
        "cells/ended/attempts/A/tensorboard/EVENTS",
        "data/HASH.parquet",
        "data/read/KEY/HASH",
        "studies/STUDY.json",
    ),
    "begun": (
        "cells/begun/cell.yaml",
        "cells/begun/provenance.json",
        "cells/begun/faults/PART/RANK.json",
        "cells/begun/attempts/A/checkpoints/STEP.json",
        "cells/begun/attempts/A/checkpoints/STEP.checkpoint",
        "cells/begun/attempts/A/curves/PART.csv",
        "cells/begun/attempts/A/heartbeat.json",
        "cells/begun/attempts/A/tensorboard/EVENTS",
    ),
    "more": ("cells/ended/attempts/A/checkpoints/STEP.checkpoint",),
    "search": ("searches/S/search.json", "searches/S/trials/NUMBER.json"),
}
"""Study to the kinds of files that its commands are tried with."""

CHANGES = "changes/DIGEST.diff"
"""What a checkout differed by from its commit; there is none where nothing was changed."""

PATTERNS = {
    r"/attempts/[^/]+/": "/attempts/A/",
    r"/checkpoints/\d{9}\.": "/checkpoints/STEP.",
    r"/curves/\d{9}-\d{9}\.": "/curves/PART.",
    r"/tensorboard/.+": "/tensorboard/EVENTS",
    r"/evaluations/retrieval-[^/]+\.": "/evaluations/DONE.",
    r"/evaluations/[^/]*failing_protocol-[^/]+\.": "/evaluations/FAILED.",
    r"/faults/[^/]+/\d+\.json": "/faults/PART/RANK.json",
    r"^data/[0-9a-f]{8}\.": "data/HASH.",
    r"^data/read/.*": "data/read/KEY/HASH",
    r"^studies/.+": "studies/STUDY.json",
    r"^changes/.+": CHANGES,
    r"^searches/[^/]+/": "searches/S/",
    r"/trials/\d{5}\.": "/trials/NUMBER.",
}


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwrite(file: Path) -> None:
    """As long as it was."""
    size = file.stat().st_size
    file.write_bytes((bytes(range(256)) * (size // 256 + 1))[:size])


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def lock(file: Path) -> None:
    file.chmod(0)


DAMAGES: tuple[Callable[[Path], None], ...] = (empty, cut, overwrite, replace_by_folder, lock)


@dataclass(frozen=True)
class Made:
    """A store that is whole.

    Attributes:
        studies: by the keys of `KINDS`.
        files: kind to a file of it; of several the one whose damage matters most, the newest.
        numbers: of the tables, once all is computed.
    """

    root: Path
    places: Places
    studies: dict[str, list[Planned]]
    files: dict[str, str]
    numbers: dict[str, dict[tuple[str, ...], str]]


@pytest.fixture(scope="session")
def made() -> Iterator[Made]:
    with public_folder() as root:
        places = Places({}, root / "cache", cache_gigabytes=0.1)
        store = results.open(root / "whole")
        texts = {
            "ended": ENDED,
            "more": MORE,
            "begun": BEGUN,
            "search": SEARCH.replace("seeds: [0, 1]", "seeds: [0]"),
        }
        studies = {
            name: load_studies([write_study(root, text, SMALL_RECIPE, name)], None, []) for name, text in texts.items()
        }
        run(studies["ended"], str(root / "whole"), places, root / "reports")
        interrupt(studies["begun"][0].cells[0], store, places)
        search(studies["search"][0], store, places)
        shutil.copytree(root / "whole", root / "copy")
        for name in ("ended", "more", "begun"):
            run(studies[name], str(root / "copy"), places, root / "reports")
        write_reports(
            studies["search"],
            shelf_of(studies["search"], str(store.place.root), places),
            "whole",
            root / "reports",
            silent(),
        )
        rows = {cell.id: "ended" for cell in studies["ended"][0].cells} | {studies["begun"][0].cells[0].id: "begun"}
        files = {kind_of(path, rows): path for path in sorted(store.place.sizes())}
        numbers = {name: numbers_of(root / "reports", name) for name in studies}
        for file in (root, *root.rglob("*")):
            file.chmod(0o777 if file.is_dir() else 0o666)
        yield Made(root, places, studies, files, numbers)


def interrupt(cell: Cell, store: Store, places: Places) -> None:
    site = site_here([cell], store, places)
    with pytest.raises(KilledError):
        pretrain(cell.config, site.folder(cell), site.open(cell.config.data, 32), stop_after=2)
    site.folder(cell).note_fault(PRETRAINING, 0, {"reason": "memory ran out", "traceback": ""})


def search(planned: Planned, store: Store, places: Places) -> None:
    """All trials have ended."""
    one = planned.study.search
    assert one is not None
    name = search_name(one, shelf_of([planned], str(store.place.root), places))
    assert name is not None
    folder = store.search(name)
    folder.write_about(one.about())
    for number, rate in enumerate((0.1, 0.2, 0.3)):
        point: dict[str, str | int | float | bool] = {
            "objective.contrastive.temperature": rate,
            "objective.contrastive.framework": "simclr",
        }
        folder.save(SearchTrial(number, point, f"cell{number}", "finished", (10.0, 20.0 + number), seconds=1.0))


def kind_of(path: str, rows: dict[str, str]) -> str:
    found = re.match(r"cells/([0-9a-f]+)-[0-9a-z]+/", path)
    if found is not None:
        path = f"cells/{rows[found[1]]}/{path[found.end() :]}"
    for pattern, name in PATTERNS.items():
        path = re.sub(pattern, name, path)
    return path


def silent() -> PlainConsole:
    return PlainConsole(file=io.StringIO(), width=1000)


def text_of(console: PlainConsole) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def run(planned: list[Planned], storage: str, places: Places, reports: Path) -> tuple[int, str]:
    console = silent()
    ran = run_studies(planned, storage, places, reports, RunOptions(), console, local=True)
    return ran.incomplete, text_of(console)


def numbers_of(reports: Path, study: str) -> dict[tuple[str, ...], str]:
    """Every number of a table, by row, column and metric; nothing where there is no table."""
    path = reports / study / "table.csv"
    if not path.exists():
        return {}
    table = pd.read_csv(path, keep_default_na=False, dtype=str)
    return {(row["row"], row["evaluation"], row["metric"]): row["values"] for row in table.to_dict("records")}


def test_every_file_of_a_store_is_of_a_known_kind(made: Made) -> None:
    assert set(made.files) - {CHANGES} == {kind for kinds in KINDS.values() for kind in kinds}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(("study", "kind"), [(study, kind) for study, kinds in KINDS.items() for kind in kinds])
def test_a_damaged_file_is_named_or_made_anew(
    study: str, kind: str, damage: Callable[[Path], None], made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    with public_folder() as folder:
        store = folder / "store"
        shutil.copytree(made.root / "whole", store)
        folder.chmod(0o777)
        damage(store / made.files[kind])
        with unprivileged() if damage is lock else nullcontext():
            use(study, kind, str(store), folder, made, caplog, mends=damage not in (replace_by_folder, lock))


@pytest.mark.parametrize(
    ("study", "kind"), [(study, kind) for study in ("ended", "more", "search") for kind in KINDS[study]]
)
def test_the_same_on_an_object_store(
    study: str, kind: str, made: Made, tmp_path: Path, s3_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Which never has a part of an object, but may have another."""
    shutil.copytree(made.root / "whole", tmp_path / "store")
    overwrite(tmp_path / "store" / made.files[kind])
    client, prefix = boto3.client("s3", endpoint_url=f"http://{s3_address}"), uuid.uuid4().hex
    for file in (tmp_path / "store").rglob("*"):
        if file.is_file():
            key = f"{prefix}/{file.relative_to(tmp_path / 'store')}"
            client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
    storage = f"s3://{BUCKET}/{prefix}?scheme=http&endpoint_override={s3_address}"
    use(study, kind, storage, tmp_path, made, caplog, mends=True)


def use(
    study: str, kind: str, storage: str, folder: Path, made: Made, caplog: pytest.LogCaptureFixture, *, mends: bool
) -> None:
    """Runs every command that reads the store; the damage is said by one of them, and mended by a run if it can be."""
    caplog.set_level(logging.WARNING)
    planned, places = made.studies[study], made.places
    said = [
        one_line(partial(read, command, planned, storage, places, folder)) for command in ("status", "report", "export")
    ]
    check_numbers(numbers_of(folder / "report", study), made.numbers[study])
    if study == "search":  # whose run needs Ray
        (mended,) = [shelf_of(planned, storage, places).store.place.folders("searches")]
        found = results.open(storage).search(mended[0])
        said.append("; ".join(found.drop_damaged()) if mends else one_line(lambda: str(found.drop_damaged())))
        left = 0
    else:
        text = one_line(lambda: repr(run(planned, storage, places, folder / "run")))
        said.append(text)
        after = numbers_of(folder / "run", study)
        check_numbers(after, made.numbers[study])
        left = 0 if after == made.numbers[study] else 1
    words = " ".join([*said, *(record.getMessage() for record in caplog.records)])
    last = made.files[kind].partition("/")[2].partition("/")[2] or made.files[kind]
    if kind not in READ_BY_NOBODY:
        assert last in words, f"{made.files[kind]} is named nowhere: {words}"
    if mends:
        assert left == 0, said[-1]
        if study != "search":
            assert "0 missing" in said[-1], said[-1]
    elif left:
        assert re.search(r"permission denied; give this user|there is a folder .*; remove it", said[-1]), said[-1]


def read(command: str, planned: list[Planned], storage: str, places: Places, folder: Path) -> str:
    console, shelf = silent(), shelf_of(planned, storage, places)
    if command == "status":
        print_status(planned, shelf, console)
    elif command == "report":
        write_reports(planned, shelf, storage, folder / "report", console, ("md", "csv"))
    else:
        export_slim(planned, shelf, folder / "export", console)
    return text_of(console)


def one_line(command: Callable[[], str]) -> str:
    """What a command prints, or the error that ends it; anything but an error of ours is a traceback to a user."""
    try:
        return command()
    except RayslError as error:
        said = str(error)
    assert "\n" not in said
    return said


def check_numbers(numbers: dict[tuple[str, ...], str], whole: dict[tuple[str, ...], str]) -> None:
    """A hole in a number's place is no wrong number."""
    wrong = {key: value for key, value in numbers.items() if value not in ("", whole.get(key))}
    assert not wrong
