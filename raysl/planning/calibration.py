"""Calibration: the shapes of work, and a folder with their measured times for each machine."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raysl.config.cell import CellConfig, chosen_terms
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import resolved
from raysl.config.options import Options
from raysl.config.sections import ClipOptions
from raysl.data.places import Places
from raysl.data.snapshot import data_key
from raysl.errors import ConfigError, DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.training.provenance import hardware, package_versions
from raysl.training.schedules.constant import ConstantOptions

if TYPE_CHECKING:
    import torch

FORMAT = 1
"""Part of every key: raised when the meaning of a measurement changes."""

Kind = Literal["training", "loading", "forward", "fit"]


@dataclass(frozen=True)
class Shape:
    """Work that takes the same time wherever it occurs.

    Attributes:
        kind: ``training``: optimisation steps of one worker, on loaded clips; ``loading``: the views of a video;
            ``forward``: a labelled video's clips through a frozen network; ``fit``: what a protocol learns on features.
        title: for people.
        about: everything that determines the time, and nothing else; its hash is the key.
        cell: of one worker and its share of the batch, with the threads that it has.
        data: read by loading and forward passes.
        clip, clips: of each video of a forward pass.
        evaluation, splits, feature_dim: of a fit.
    """

    kind: Kind
    title: str
    about: Mapping[str, Any]
    cell: CellConfig
    data: Chosen | None = None
    clip: ClipOptions = field(default_factory=ClipOptions)
    clips: int = 0
    evaluation: EvaluationConfig | None = None
    splits: LabelledSplits | None = field(default=None, repr=False)
    feature_dim: int = 0

    @cached_property
    def key(self) -> str:
        """``training-0123456789abcdef``"""
        text = json.dumps([FORMAT, self.kind, self.about], sort_keys=True, default=str)
        return f"{self.kind}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def of_one_worker(cell: CellConfig, threads: int | None) -> CellConfig:
    """The work of one worker of a cell, as a cell: its share of the batch, without communication.

    Args:
        threads: PyTorch's; None: as many as a worker's CPUs, one and one for each loader process.
    """
    training = cell.training
    share = training.batch_size // training.workers
    changed = {
        "epochs": None,
        "steps": 2**16,
        "batch_size": share,
        "workers": 1,
        "threads": training.threads or threads or 1 + training.planned_loader_workers,
    }
    whole = cell.batch_norm_group == "batch" or share % cell.batch_norm_group
    return cell.model_copy(
        update={
            "training": training.model_copy(update=changed),
            "batch_norm_group": "batch" if whole else cell.batch_norm_group,
            # Its length does not matter for a step, and its warm-up may not fit the length above.
            "schedule": Chosen("schedule", "constant", ConstantOptions()),
        }
    )


def training_shape(cell: CellConfig) -> Shape:
    """Steps of a cell of one worker; non-integer numbers (rates, temperatures, weights) do not influence the time."""
    plain, training = resolved(cell), cell.training
    read = "supervised" if cell.pretraining == "supervised" else "objective"
    about = {
        "pretraining": cell.pretraining,
        "clip": [cell.clip.frames, cell.clip.size, cell.clip.input],
        "backbone": _network(cell),
        "batch_norm": [cell.batch_norm_group, cell.batch_norm_per_view],
        read: _without_floats(plain[read]),
        "windows": None if cell.pretraining == "supervised" else _without_floats(plain["sampling"]["windows"]),
        "optimizer": _without_floats({k: v for k, v in plain["optimizer"].items() if k != "learning_rate"}),
        "batch": [training.batch_size, training.accumulate, training.chunk_in_use],
        "precision": training.precision,
        "threads": training.threads,
    }
    terms = "labels" if cell.pretraining == "supervised" else " + ".join(chosen_terms(cell.objective))
    title = f"step of {training.batch_size} videos, {terms}, {_described(cell, cell.clip)}"
    return Shape("training", title, about, cell)


def loading_shape(cell: CellConfig, views: tuple[str, ...]) -> Shape:
    """Loading of a cell's videos, in its own process or in one of its loader processes, which has one thread."""
    plain = resolved(cell)
    about = {
        "data": [data_key(cell.data), cell.clip.resize],
        "clip": plain["clip"],
        "sampling": plain["sampling"],
        "augment": plain["augment"],
        "pretext": _without_floats(plain["objective"]["pretext"]),
        "views": sorted(views),
        "threads": 1 if cell.training.planned_loader_workers else cell.training.threads,
    }
    title = f"loading of {len(views)} views of a video of {cell.data.bound_name}, {_clip(cell.clip)}"
    return Shape("loading", title, about, cell, data=cell.data)


def forward_shape(cell: CellConfig, data: Chosen, clip: ClipOptions, clips: int) -> Shape:
    """A video's clips, read and passed through the cell's backbone."""
    about = {
        "data": [data_key(data), clip.resize],
        "clip": resolved(clip),
        "clips": clips,
        "backbone": _network(cell),
        "precision": cell.training.precision,
        "threads": cell.training.threads,
    }
    title = f"features of {clips} clips of a video of {data.bound_name}, {_described(cell, clip)}"
    return Shape("forward", title, about, cell, data=data, clip=clip, clips=clips)


def fit_shape(cell: CellConfig, evaluation: EvaluationConfig, splits: LabelledSplits, feature_dim: int) -> Shape:
    """What a protocol learns on features of these videos; a few unreadable videos do not change the shape."""
    about = {
        "protocol": [evaluation.protocol.name, resolved(evaluation.protocol.options)],
        "data": data_key(evaluation.data),
        "features": feature_dim,
        "threads": cell.training.threads,
    }
    title = f"{evaluation.label} on {len(splits.train)} features of {feature_dim} numbers"
    return Shape("fit", title, about, cell, evaluation=evaluation, splits=splits, feature_dim=feature_dim)


def _network(cell: CellConfig) -> dict[str, Any]:
    options: Options = cell.backbone.options
    kept = {name: value for name, value in resolved(options).items() if name not in ("init", "inflate_from")}
    return {"name": cell.backbone.name, **kept}


def _without_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_floats(one) for key, one in value.items() if not isinstance(one, float)}
    return [_without_floats(one) for one in value if not isinstance(one, float)] if isinstance(value, list) else value


def _described(cell: CellConfig, clip: ClipOptions) -> str:
    width = getattr(cell.backbone.options, "width", 1.0)
    network = cell.backbone.name if width == 1 else f"{cell.backbone.name} x {width:g}"
    threads = cell.training.threads
    return f"{_clip(clip)}, {network}, {cell.training.precision}, {threads} thread{'s' if threads != 1 else ''}"


def _clip(clip: ClipOptions) -> str:
    return f"{clip.frames} frames of {clip.size}²"


@dataclass(frozen=True)
class Machine:
    """What determines the speed, besides the shape."""

    cpu: str
    cpu_flags: tuple[str, ...]
    cpus: int
    gpu: str | None
    pytorch: str

    @classmethod
    def here(cls, device: torch.device) -> Machine:
        return cls.of(hardware(device), package_versions()["torch"])

    @classmethod
    def of(cls, hardware: Mapping[str, Any], pytorch: str) -> Machine:
        """The machine that a cell's provenance describes."""
        flags = tuple(hardware["cpu_flags"])
        return cls(hardware["cpu"], flags, hardware["cpus"], hardware["gpu"], pytorch)

    @property
    def id(self) -> str:
        return hashlib.blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=6).hexdigest()

    @property
    def title(self) -> str:
        """``NVIDIA H100 80GB HBM3, Intel Xeon, 16 CPUs, torch 2.15.0``"""
        card = f"{self.gpu}, " if self.gpu else ""
        return f"{card}{self.cpu}, {self.cpus} CPUs, torch {self.pytorch}"


@dataclass(frozen=True)
class Measurement:
    """The time of a shape on a machine.

    Attributes:
        seconds: under the shape's kind, of one step or video (for ``fit``, a training video); for ``training`` also
            ``setup`` (once per training) and ``save`` (of a checkpoint, on a local disk).
        note: how it was measured, if that differs.
        disturbed: other work ran at the same time, so it is too long.
    """

    seconds: Mapping[str, float]
    note: str = ""
    disturbed: bool = False


@dataclass
class Calibration:
    """The measurements of one machine, one file each, so that processes and copies of the folder never collide."""

    folder: Path
    machine: Machine
    is_here: bool = True
    _known: dict[str, Measurement | None] = field(default_factory=dict)

    def get(self, shape: Shape) -> Measurement | None:
        """The measurement; None if the shape was not measured on this machine.

        Raises:
            DataError: its file is incomplete.
        """
        if shape.key not in self._known:
            self._known[shape.key] = self._read(shape)
        return self._known[shape.key]

    def put(self, shape: Shape, measured: Measurement) -> None:
        """Stores a measurement.

        Raises:
            DataError: the folder cannot be written.
        """
        record = {"machine": asdict(self.machine), "title": shape.title, "about": shape.about, **asdict(measured)}
        file = self._file(shape)
        partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(record, indent=1, default=str), encoding="utf-8")
            partial.replace(file)
        except OSError as error:
            raise DataError(f"{file.parent} cannot be written: {error.strerror}; give another --cache") from error
        self._known[shape.key] = measured

    def _read(self, shape: Shape) -> Measurement | None:
        file = self._file(shape)
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            seconds = {name: float(value) for name, value in record["seconds"].items()}
            return Measurement(seconds, record["note"], record["disturbed"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{file}: cannot be read ({error}); remove it and run raysl calibrate again") from error

    def _file(self, shape: Shape) -> Path:
        return self.folder / self.machine.id / f"{shape.key}.json"


def calibrations(places: Places) -> Path:
    """The folder of all machines."""
    return places.cache / "calibration"


def calibration_here(places: Places, device: torch.device) -> Calibration:
    """The measurements of this machine, which may be empty."""
    return Calibration(calibrations(places), Machine.here(device))


def find_calibration(places: Places, device: torch.device, named: str | None = None) -> Calibration:
    """This machine's measurements, or those of the only other machine; with ``named`` those of the machine of this
    title.

    Raises:
        ConfigError: none or several machines have that in their titles.
    """
    here = calibration_here(places, device)
    known = known_machines(here.folder)
    if named is not None:
        fitting = [one for one in known if named.lower() in one.title.lower()]
        if len(fitting) != 1:
            titles = "; ".join(one.title for one in known) or "none"
            raise ConfigError(f"--hardware {named}: {len(fitting)} machines have this in their names; known: {titles}")
        return Calibration(here.folder, fitting[0], fitting[0] == here.machine)
    if here.machine in known or len(known) != 1:
        return here
    return Calibration(here.folder, known[0], is_here=False)


def known_machines(folder: Path) -> list[Machine]:
    """Machines with any measurement."""
    found = []
    for inner in sorted(folder.iterdir()) if folder.is_dir() else []:
        file = next(iter(sorted(inner.glob("*.json"))), None)
        if file is not None:
            try:
                about = json.loads(file.read_text(encoding="utf-8"))["machine"]
                found.append(Machine(**{**about, "cpu_flags": tuple(about["cpu_flags"])}))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DataError(f"{file}: cannot be read ({error}); remove it and run raysl calibrate again") from error
    return found


def device_of(asked: str) -> torch.device:
    """``cpu``, ``gpu`` or ``auto`` of the command line, on this machine.

    Raises:
        ConfigError: another word, or a GPU where PyTorch sees none.
    """
    import torch

    if asked not in ("auto", "cpu", "gpu"):
        raise ConfigError(f"--device {asked}: choose one of auto, cpu, gpu")
    if asked == "gpu" and not torch.cuda.is_available():
        raise ConfigError("--device gpu: PyTorch sees no GPU on this machine")
    on_gpu = asked != "cpu" and torch.cuda.is_available()
    return torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if on_gpu else "cpu")
