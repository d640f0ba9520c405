"""How the store grows with its cells, with the length of a training and with the jobs of a run.

Stores are those of `report_speed`: the study's own configurations, and curves, provenance and predictions of trained
cells. A done cell here also has a heartbeat, an event file and a checkpoint, as one that was not exported has.
"""

from __future__ import annotations

import io
import math
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sizes import Measure, Work

if TYPE_CHECKING:
    from raysl.commands.inputs import Planned
    from raysl.results import Shelf

BUCKET = "raysl"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
CLASSES, TEST_VIDEOS = 101, 3783
"""Of UCF101, split 1."""
STEPS_AN_EPOCH = 50
"""Steps between two checkpoints of a training."""

Read = Callable[["list[Planned]", "Shelf", Path], object]


def filled(cells: int, folder: Path) -> list[Path]:
    """A store of so many cells below ``folder``, and the study that they are of."""
    from benchmarks.report_speed import SCALE, write_store, write_studies
    from raysl import results
    from raysl.commands.inputs import load_studies
    from raysl.config.identity import evaluation_id

    paths = write_studies(folder, 1, cells // 3)
    evaluations = load_studies(paths, SCALE, [])[0].cells[0].evaluations
    wanted = {one.label.partition("/")[0]: evaluation_id(one) for one in evaluations}
    write_store(folder / "store", paths)
    for cell in results.open(folder / "store").cells():
        (attempt,) = cell.attempts() or [cell.start_attempt()]
        attempt.place.write("tensorboard/events.out.tfevents.1.host", b"events" * 1000)
        attempt.save_checkpoint(10, b"weights" * 1000)
        attempt.end({"epoch": 1})
        summary = cell.state().progress
        cell.reopen()
        cell.mark_done(attempt, summary)
        rename_evaluations(Path(cell.place.root, "evaluations"), wanted)
    return paths


def rename_evaluations(folder: Path, wanted: Mapping[str, str]) -> None:
    """Gives results of earlier versions of a protocol the ids of today, so that the study has them."""
    for path in sorted(folder.iterdir()):
        protocol, _, rest = path.name.partition("-")
        path.rename(path.with_name(f"{wanted[protocol]}-{rest.rpartition('-')[2]}"))


def status(planned: list[Planned], shelf: Shelf, folder: Path) -> None:
    from raysl.commands.status import print_status
    from raysl.commands.terminal import PlainConsole

    print_status(planned, shelf, PlainConsole(file=io.StringIO()))


def frame(planned: list[Planned], shelf: Shelf, folder: Path) -> None:
    shelf.store.frame()


def report(planned: list[Planned], shelf: Shelf, folder: Path) -> None:
    from raysl.commands.report import write_reports
    from raysl.commands.terminal import PlainConsole

    console = PlainConsole(file=io.StringIO())
    write_reports(planned, shelf, "store", folder / uuid.uuid4().hex, console, ("md", "csv", "latex"), shown=False)


def export(planned: list[Planned], shelf: Shelf, folder: Path) -> None:
    from raysl.commands.export import export_slim
    from raysl.commands.terminal import PlainConsole

    export_slim(planned, shelf, folder / uuid.uuid4().hex, PlainConsole(file=io.StringIO()))


def of_disk(read: Read) -> Callable[[int, Path], Work]:
    def prepare(size: int, folder: Path) -> Work:
        from benchmarks.report_speed import SCALE
        from raysl import results
        from raysl.commands.inputs import load_studies
        from raysl.results import Shelf

        planned = load_studies(filled(size, folder), SCALE, [])
        return lambda: read(planned, Shelf(results.open(folder / "store")), folder) and None

    return prepare


def prepare_bucket(size: int, folder: Path) -> Work:
    """All four on an S3 server in this process: the requests of each."""
    from benchmarks.report_speed import SCALE
    from raysl import results
    from raysl.commands.inputs import load_studies
    from raysl.results import Shelf

    planned = load_studies(filled(size, folder), SCALE, [])
    seen, server = started_server()
    storage = f"s3://{BUCKET}/{uuid.uuid4().hex}?scheme=http&endpoint_override={server}"
    place = results.open(storage).place
    for file in (folder / "store").rglob("*"):
        if file.is_file():
            place.write(file.relative_to(folder / "store").as_posix(), file.read_bytes())

    def work() -> dict[str, float]:
        requests: dict[str, float] = {}
        for name, read in READS.items():
            seen.clear()
            read(planned, Shelf(results.open(storage)), folder)
            requests[f"requests of {name}"] = len(seen)
        return requests

    return work


def started_server() -> tuple[list[str], str]:
    """An S3 server with an empty bucket: the requests that it has seen, and its address."""
    import logging

    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    os.environ.update(CREDENTIALS)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app, seen = DomainDispatcherApplication(create_backend_app), list[str]()

    def counting(environ: dict[str, Any], start: Callable[..., object]) -> object:
        seen.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}")
        return app(environ, start)

    server = make_server("127.0.0.1", 0, counting, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    boto3.client("s3", endpoint_url=f"http://{address}").create_bucket(Bucket=BUCKET)
    return seen, address


def prepare_training(size: int, folder: Path) -> Work:
    """What rank 0 writes over a training of so many steps, whose network has no weights."""
    from raysl import results
    from raysl.training.checkpoint import Checkpoint
    from raysl.training.recorder import Recorder

    def work() -> dict[str, float]:
        cell = results.open(folder).named(f"{uuid.uuid4().hex}-data")
        with Recorder(cell, None) as recorder, counted_bytes() as written:
            for step in range(1, size + 1):
                recorder.add(row(step))
                if step % STEPS_AN_EPOCH == 0:
                    checkpoint = Checkpoint("cell", step, "float32", {}, **recorder.kept())
                    recorder.save(checkpoint, last=step == size)
        return written

    return work


def row(step: int) -> dict[str, float]:
    """Of the curves: two terms, four metrics, numbers of all digits."""
    from raysl.training.curves import curve_row
    from raysl.training.learner import StepValues

    terms = {"contrastive": math.sin(step), "rotation": math.cos(step)}
    metrics = {name: math.exp(-step / size) for name, size in (("a", 3), ("b", 30), ("c", 300), ("d", 3000))}
    return curve_row(
        step,
        1 + (step - 1) // STEPS_AN_EPOCH,
        StepValues(2.0 / step, terms, metrics, 0.1 / step, 3.0 / step),
        data_seconds=0.25 / step,
        compute_seconds=0.75 / step,
        clips=8,
        unreadable=1,
        weight_penalty=0.02 * step,
    )


@contextmanager
def counted_bytes() -> Iterator[dict[str, float]]:
    """In its body the megabytes that are written to stores are counted."""
    from raysl.results.place import Place

    written, write = {"megabytes written": 0.0}, Place.write

    def counting(place: Place, path: str, data: bytes) -> None:
        written["megabytes written"] += len(data) / 1e6
        write(place, path, data)

    Place.write = counting  # type: ignore[method-assign]
    try:
        yield written
    finally:
        Place.write = write  # type: ignore[method-assign]


def prepare_answers(size: int, folder: Path) -> Work:
    """What a report keeps of so many evaluations of UCF101's test videos: answers drawn among 101 classes."""
    import numpy as np

    from raysl.reports.per_video import Answers

    videos = [f"class_{number % CLASSES:03d}/v_{number:05d}.avi" for number in range(TEST_VIDEOS)]
    labels = np.arange(TEST_VIDEOS) % CLASSES

    def work() -> None:
        known, kept, draw = Answers(), [], np.random.default_rng(0)
        for _ in range(size):
            predicted = np.where(draw.random(TEST_VIDEOS) < 0.5, labels, draw.integers(CLASSES, size=TEST_VIDEOS))
            places = known.places(videos)
            kept.append(known.per_video(places, (predicted == labels).tolist()))
            kept.append(known.per_video(places, zip(labels.tolist(), predicted.tolist(), strict=True)))

    return work


def prepare_time_left(size: int, folder: Path) -> Work:
    """What a run computes every two seconds: half of its cells have ended."""
    from raysl.config.cells import Cell
    from raysl.results import CellState, StoredCell
    from raysl.work.events import CellProgress
    from raysl.work.overview import overview
    from tests.cells import tiny_cell

    cells = [Cell(tiny_cell({"training.seed": seed}), study="study", row=f"{seed}") for seed in range(size)]
    tasks = [StoredCell(cell, None, CellState("missing")) for cell in cells]
    said = {cell.key: CellProgress(0.0, 10.0 + number % 7, "ended") for number, cell in enumerate(cells) if number % 2}
    return lambda: overview(said, tasks, done_before=0, failed_before=0, at_once=2, now=20.0, began=0.0) and None


READS: dict[str, Read] = {"status": status, "frame": frame, "report": report, "export": export}
MEASURES = {
    **{
        f"store/{name}": Measure(of_disk(read), "cells", sizes=(102, 1002, 10_002), quick=(24, 96))
        for name, read in READS.items()
    },
    "store/S3": Measure(
        prepare_bucket,
        "cells",
        sizes=(12, 48, 102),
        quick=(12, 24),
        goal=None,
        repeat=False,
        goals={f"requests of {name}": 1.1 for name in READS},
    ),
    "store/training": Measure(
        prepare_training,
        "steps",
        sizes=(2000, 8000, 32000),
        quick=(2000, 8000),
        repeat=False,
        goals={"megabytes written": 1.1},
    ),
    "store/answers": Measure(prepare_answers, "evaluations", sizes=(100, 1000, 10_000), quick=(100, 400)),
    "store/time left": Measure(prepare_time_left, "jobs", sizes=(500, 2000, 8000), quick=(250, 1000)),
}
