"""``python -m raysl.training CELL.yaml --storage DIR``, and the same under ``torchrun --nproc-per-node N``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.load import load_cell
from raysl.data.places import Places
from raysl.data.snapshot import data_key
from raysl.data.source import VideoSource, open_source
from raysl.distributed import broadcast_object, launcher_number, on_every_rank, on_first_rank, rank, world_size
from raysl.errors import ConfigError, LeftError, RayslError, printable
from raysl.models.backbone import Backbone
from raysl.results import CellFolder
from raysl.signals import ended_by_signals, received
from raysl.training.check_cell import check_cell
from raysl.training.load_backbone import load_backbone
from raysl.training.precision import choose_device
from raysl.training.pretrain import pretrain
from raysl.training.progress import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains one cell; returns 0 if it is done, 1 if it failed, 2 if the arguments are wrong, 128 + N after signal N.

    A signal, which torchrun passes on when its machine is taken away, ends it after its step and a checkpoint.
    """
    options = _parser().parse_args(arguments)
    with ended_by_signals():
        return _main(options)


def _main(options: argparse.Namespace) -> int:
    own_group = False
    try:
        device = choose_device()
        own_group = launcher_number("WORLD_SIZE") > 1 and not dist.is_initialized()
        if own_group:
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
        _train(options, device)
    except (LeftError, KeyboardInterrupt) as end:
        _say(f"ended: {str(end) or 'its last checkpoint is kept'}")
        return 128 + (received() or signal.SIGINT)
    except RayslError as error:
        prefix = f"rank {rank()}: " if world_size() > 1 else ""
        print(f"{prefix}error: {printable(str(error))}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, ConfigError) else 1
    finally:
        if own_group:
            dist.destroy_process_group()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m raysl.training", description=__doc__)
    parser.add_argument("cell", type=Path, help="a resolved cell, as `raysl plan --show-cell` prints it")
    parser.add_argument("--storage", required=True, help="the results store: a folder, s3://... or gs://...")
    parser.add_argument(
        "--root", action="append", default=[], metavar="NAME=PATH", help="folder of a data set, or file of weights"
    )
    parser.add_argument("--cache", type=Path, help="folder for manifests and decoded frames")
    parser.add_argument("--cache-gigabytes", type=float, help="that decoded frames may take of its disk")
    return parser


def _train(options: argparse.Namespace, device: torch.device) -> None:
    cell = on_every_rank(lambda: _cell(options.cell))
    places = _places(options)
    source = None if cell.pretraining == "none" else _source(cell, places)
    store = results.open(options.storage)
    if source is not None and rank() == 0:
        store.save_snapshot(source.snapshot)
    shelf = results.Shelf(store, {} if source is None else {data_key(cell.data): source.snapshot.hashes})
    folder = on_every_rank(lambda: _folder(Cell(cell), shelf))
    if on_first_rank(lambda: folder.state().status) == "done":
        _say(f"cell {folder.name} is done already")
        return
    begun = Cell(cell).start
    start = None if begun is None else on_every_rank(lambda: _load_start(begun, shelf))
    summary = pretrain(
        cell, folder, source, device=device, on_progress=_print_progress, files=places.roots, start=start
    )
    _say(
        f"cell {folder.name}: done in {summary.minutes:.1f} minutes, {summary.clips_per_second:.1f} clips/s, "
        f"{_loss(summary.final_loss)}{summary.unreadable} unreadable videos"
    )


def _loss(final: float | None) -> str:
    return "" if final is None else f"final loss {final:.4g}, "


def _folder(cell: Cell, shelf: results.Shelf) -> CellFolder:
    """The site at which the cell is trained.

    Raises:
        ConfigError: the store does not have the cell that it starts from.
    """
    if cell.start is not None and shelf.find(cell.start).state.status != "done":
        raise ConfigError(f"init.from: cell {cell.start.id} is not done in this store: train it first")
    return shelf.folder(cell)


def _load_start(cell: Cell, shelf: results.Shelf) -> Backbone:
    folder = shelf.find(cell).folder
    assert folder is not None
    return load_backbone(cell.config, folder)


def _cell(path: Path) -> CellConfig:
    cell = load_cell(path)
    check_cell(cell)
    if cell.training.workers != world_size():
        _say(f"note: training.workers is {cell.training.workers}; {world_size()} process(es) were started and are used")
    return cell


def _places(options: argparse.Namespace) -> Places:
    roots: dict[str, Path] = {}
    for item in options.root:
        name, separator, path = item.partition("=")
        if not (name and separator and path):
            raise ConfigError(f"--root {item}: expected NAME=PATH")
        roots[name] = Path(path)
    return Places.find(roots, options.cache, options.cache_gigabytes)


def _source(cell: CellConfig, places: Places) -> VideoSource:
    """Rank 0 reads the data set; the others get its snapshot."""
    first = on_every_rank(lambda: open_source(cell.data, places, resize=cell.clip.resize) if rank() == 0 else None)
    snapshot = broadcast_object(None if first is None else first.snapshot)
    return on_every_rank(lambda: first or open_source(cell.data, places, resize=cell.clip.resize, snapshot=snapshot))


def _print_progress(progress: Progress) -> None:
    _say(progress.line())


def _say(line: str) -> None:
    if rank() == 0:
        print(printable(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
