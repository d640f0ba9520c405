"""The cost of cells: steps, clips and bytes from the configuration and the data; time if its shapes were measured."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from raysl.config.cell import CellConfig
from raysl.config.cells import Cell, evaluation_key
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id
from raysl.config.sections import TrainingOptions
from raysl.data.catalog import Catalog
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot, data_key
from raysl.errors import CellFailure, ConfigError, DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.feature_protocol import sharing
from raysl.evaluation.workload import Workload, workload
from raysl.planning.calibration import (
    Calibration,
    Shape,
    fit_shape,
    forward_shape,
    loading_shape,
    of_one_worker,
    training_shape,
)
from raysl.results import Store, StoredCell
from raysl.results.attempt import KEPT_CHECKPOINTS
from raysl.training.length import Length, training_length
from raysl.training.monitor import is_monitored
from raysl.views.training_videos import training_videos

if TYPE_CHECKING:
    import torch
    from torch import nn

    from raysl.data.source import VideoSource
    from raysl.models.backbone import Backbone
    from raysl.objectives.objective import Objective

ANY_VIDEOS = 2**16
"""Assumed number of videos if it is unknown; enough for the negatives of every published memory bank."""
LISTED_FRAMES = 2**20
"""Assumed length of a video that was not decoded yet: long enough for every clip."""


@dataclass(frozen=True)
class Part:
    """One kind of work of a cell.

    Attributes:
        what: ``pretraining`` or ``fine-tuning``, or the labels of evaluations.
        times: steps or videos: how often ``shape`` occurs on the worker with the most of it.
        loading: of the videos of ``shape``, if its time does not include that.
        loaded: videos of a step.
        beside: loader processes; 0: the step waits for its clips.
        may_hide: their number is chosen in training, which may take less time than is counted here.
        saves: number of checkpoints.
    """

    what: str
    shape: Shape
    times: int
    loading: Shape | None = None
    loaded: int = 0
    beside: int = 0
    may_hide: bool = False
    saves: int = 0

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return (self.shape,) if self.loading is None else (self.shape, self.loading)

    def seconds(self, calibration: Calibration) -> float | None:
        """Seconds on one worker; None if a shape was not measured."""
        found = calibration.get(self.shape)
        loading = None if self.loading is None else calibration.get(self.loading)
        if found is None or (self.loading is not None and loading is None):
            return None
        one = found.seconds[self.shape.kind]
        if loading is not None:
            load = loading.seconds["loading"] * self.loaded
            one = max(one, load / self.beside) if self.beside else one + load
        return self.times * one + self.saves * found.seconds.get("save", 0.0) + found.seconds.get("setup", 0.0)


@dataclass(frozen=True)
class CellCost:
    """The cost of a cell, or of its missing parts.

    Attributes:
        workers: that it occupies from start to end.
        steps, clips: of the pretraining, clips over all workers; None if its data is not known here.
        stored: bytes of the checkpoints that stay in the store; None if that depends on unknown data, as with a bank.
        parts: everything that takes time, as far as it is known.
        unknown: why the parts are incomplete.
        left_out: what takes time but is not among the parts.
    """

    cell: Cell
    workers: int
    steps: int | None
    clips: int | None
    stored: int | None
    parts: tuple[Part, ...] = ()
    unknown: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def seconds(self, calibration: Calibration) -> float | None:
        """Seconds from start to end; None if anything was not measured, or cannot be."""
        found = [part.seconds(calibration) for part in self.parts]
        known = [one for one in found if one is not None]
        return sum(known) if len(known) == len(found) and not self.unknown else None

    def hidden_seconds(self, calibration: Calibration) -> float:
        """The most of these seconds that loader processes which choose themselves may save; 0 if they are unknown."""
        from raysl.views.loader_choice import MOST_PROCESSES

        counted, least = self.seconds(calibration), self.loaded_by(MOST_PROCESSES).seconds(calibration)
        return 0.0 if counted is None or least is None else counted - least

    def loaded_by(self, processes: int) -> CellCost:
        """With so many loader processes where their number was left to the training."""
        parts = (replace(one, beside=processes, may_hide=False) if one.may_hide else one for one in self.parts)
        return replace(self, parts=tuple(parts))


@dataclass
class KnownData:
    """Data sets as far as this machine or a store knows them; nothing is decoded."""

    places: Places
    store: Store | None = None
    _sources: dict[tuple[str, int], VideoSource | None] = field(default_factory=dict)
    _splits: dict[tuple[str, int], LabelledSplits] = field(default_factory=dict)
    _listed: set[str] = field(default_factory=set)

    def source(self, data: Chosen, resize: int) -> VideoSource | None:
        """The data set as earlier runs decoded it, here or in the store; else from its lists, assuming that every video
        is readable and long; None without lists."""
        key = (data_key(data), resize)
        if key not in self._sources:
            self._sources[key] = self._find(data, resize)
        return self._sources[key]

    def splits(self, data: Chosen, resize: int) -> LabelledSplits | None:
        """The videos that evaluations use; None if `source` is."""
        key, source = (data_key(data), resize), self.source(data, resize)
        if source is not None and key not in self._splits:
            self._splits[key] = LabelledSplits.of(source.snapshot)
        return self._splits.get(key)

    def is_decoded(self, data: Chosen, resize: int) -> bool:
        """Whether lengths and sizes of its videos are known, not only their number."""
        return self.source(data, resize) is not None and data_key(data) not in self._listed

    def _find(self, data: Chosen, resize: int) -> VideoSource | None:
        from raysl.data.frame_cache import FrameCache
        from raysl.data.source import VideoSource, known_snapshot, listed_catalog

        cache = FrameCache(self.places.cache / "frames", resize, int(self.places.cache_gigabytes * 1e9))
        snapshot = known_snapshot(data, self.places) or self._stored(data)
        if snapshot is not None:
            return VideoSource(snapshot.catalog, snapshot.manifest, Path(), cache)
        catalog = listed_catalog(data, self.places)
        if catalog is None:
            return None
        self._listed.add(data_key(data))
        return VideoSource(catalog, unread_manifest(catalog, resize), Path(), cache)

    def _stored(self, data: Chosen) -> Snapshot | None:
        try:
            return None if self.store is None else self.store.snapshot_of(data_key(data), self.places.listing(data))
        except DataError:
            return None  # its root is an address that cannot be read from here


def unread_manifest(catalog: Catalog, side: int) -> Manifest:
    """Rows for videos that were not decoded: long ones, with square frames."""
    rows = (
        ManifestRow(video.path, LISTED_FRAMES, 0, (0,), side, side, 25.0, f"{video.index:032x}", False)
        for video in catalog.videos
    )
    return Manifest(catalog.name, tuple(rows))


@dataclass
class Estimates:
    """The costs of cells; cells that differ only in their seeds are computed once."""

    data: KnownData
    threads: int | None = None
    _known: dict[str, CellCost] = field(default_factory=dict)

    def of(self, cell: Cell, *, trains: bool = True, evaluations: Sequence[EvaluationConfig] | None = None) -> CellCost:
        """As `cell_cost`."""
        training = cell.config.training.model_copy(update={"seed": 0})
        one = cell.config.model_copy(update={"training": training})
        wanted = cell.own if evaluations is None else tuple(evaluations)
        names = [evaluation_key(evaluation) for evaluation in wanted]
        key = str((cell_id(one), training, cell.config.data.source_name, trains, names))
        if key not in self._known:
            self._known[key] = cell_cost(cell, self.data, self.threads, trains=trains, evaluations=wanted)
        return replace(self._known[key], cell=cell)

    def of_missing(self, found: StoredCell) -> CellCost:
        """The cost of what a store lacks of a cell; one that was begun counts completely."""
        missing = [one.config for one in found.missing if one.behind is None]
        trains = found.state.status != "done"
        return self.of(found.cell, trains=trains, evaluations=missing)


def cell_cost(
    cell: Cell,
    data: KnownData,
    threads: int | None = None,
    *,
    trains: bool = True,
    evaluations: Sequence[EvaluationConfig] | None = None,
) -> CellCost:
    """The cost of a cell.

    Args:
        threads: see `of_one_worker`.
        trains: False if its weights exist already.
            evaluations: those to compute; None: all requested ones that do not train another cell.
    """
    config = cell.config
    found = CellCost(cell, 1, 0, 0, 0)
    if trains:
        if cell.pretrains:
            found = _pretraining(cell, data, threads)
        else:
            found = replace(found, stored=_bytes(_drawn(config.backbone)))
    wanted = cell.own if evaluations is None else evaluations
    parts, unknown = _evaluations(config, wanted, data, threads)
    if found.parts and is_monitored(config):
        parts += _looks(config, data, parts, threads)
    return replace(
        found,
        workers=config.training.workers if any(p.shape.kind == "training" for p in (*found.parts, *parts)) else 1,
        parts=(*found.parts, *parts),
        unknown=tuple(dict.fromkeys((*found.unknown, *unknown))),
    )


def _pretraining(cell: Cell, data: KnownData, threads: int | None) -> CellCost:
    config = cell.config
    source = data.source(config.data, config.clip.resize)
    absent = f"the data set {config.data.bound_name!r} is not here: give its --root"
    try:
        if source is None and config.training.steps is None:
            unknown = (f"steps of an epoch: {absent}",)
            return CellCost(cell, 1, None, None, _stored(config, KEPT_CHECKPOINTS), unknown=unknown)
        videos = None if source is None else len(training_videos(config, source))
        length = _length(config.training, videos)
        objective = objective_on_meta(config, videos or ANY_VIDEOS)
        part = _training(config, objective, length, cell.stage, threads)
    except (ConfigError, CellFailure) as error:
        return CellCost(cell, 1, None, None, None, unknown=(f"{cell.stage}: {error}",))
    clips = length.steps * config.training.batch_size * config.training.accumulate * len(objective.view_names)
    kept = min(KEPT_CHECKPOINTS, part.saves)
    stored = _stored(config, kept) if source is None else kept * checkpoint_bytes(config, objective)
    if source is None:
        return CellCost(
            cell, 1, length.steps, clips, stored, (replace(part, loading=None),), (), (f"loading of clips: {absent}",)
        )
    return CellCost(cell, 1, length.steps, clips, stored, (part,))


def _length(training: TrainingOptions, videos: int | None) -> Length:
    """If the videos are unknown, all steps are one epoch, so a checkpoint per epoch is one checkpoint."""
    if videos is None:
        assert training.steps is not None
        return Length(training.steps, training.steps)
    return training_length(training, videos // training.batch_size)


def _stored(config: CellConfig, checkpoints: int) -> int | None:
    """Bytes that a pretraining on an unknown number of videos stores; None if they depend on that number."""
    sizes = {checkpoint_bytes(config, objective_on_meta(config, count)) for count in (ANY_VIDEOS, ANY_VIDEOS // 2)}
    return sizes.pop() * checkpoints if len(sizes) == 1 else None


def _training(config: CellConfig, objective: Objective, length: Length, what: str, threads: int | None) -> Part:
    """Steps, their clips, and the checkpoints of a pretraining."""
    one, training = of_one_worker(config, threads), config.training
    every = training.checkpoint_steps or length.steps_per_epoch
    return Part(
        what,
        training_shape(one),
        length.steps,
        loading_shape(one, objective.view_names),
        one.training.batch_size * training.accumulate,
        training.planned_loader_workers,
        training.loader_workers == "auto",
        -(-length.steps // every),
    )


def _evaluations(
    config: CellConfig,
    wanted: Sequence[EvaluationConfig],
    data: KnownData,
    threads: int | None,
) -> tuple[list[Part], list[str]]:
    """The parts that are known, and why others are not."""
    one = of_one_worker(config, threads)
    parts, unknown = list[Part](), list[str]()
    on_features: dict[str, EvaluationConfig] = {}
    works: dict[str, Workload] = {}
    for evaluation in wanted:
        splits = data.splits(evaluation.data, config.clip.resize)
        if splits is None:
            unknown.append(f"{evaluation.label}: the data set {evaluation.data.bound_name!r} is not here: give --root")
            continue
        work = workload(evaluation, config, splits)
        if work is None:
            unknown.append(f"{evaluation.label}: protocol {evaluation.protocol.name!r} does not report its workload")
            continue
        if work.fits:
            name = evaluation_key(evaluation)
            on_features[name], works[name] = evaluation, work
            shape = fit_shape(one, evaluation, splits, _drawn(config.backbone).feature_dim)
            parts.append(Part(evaluation.label, shape, len(splits.train)))
        else:
            shape = forward_shape(one, evaluation.data, work.clip, work.clips)
            parts.append(Part(evaluation.label, shape, work.videos))
    for group in sharing(on_features):
        members = [on_features[name] for name in group]
        work = works[group[0]]
        shape = forward_shape(one, members[0].data, work.clip, work.clips)
        parts.append(Part(", ".join(member.label for member in members), shape, work.videos))
    return parts, unknown


def _looks(config: CellConfig, data: KnownData, parts: Sequence[Part], threads: int | None) -> list[Part]:
    """The measurements during training, of one clip per video; nothing if the data set is not here.

    If an evaluation reads more clips of the same videos, one of those is used for one of these.
    """
    source = data.source(config.data, config.clip.resize)
    if source is None:
        return []
    monitor, own = config.training.monitor, forward_shape(of_one_worker(config, threads), config.data, config.clip, 1)
    like = [part.shape for part in parts if part.shape.kind == "forward" and _reads_alike(part.shape, own)]
    shape = like[0] if like else own
    videos = min(monitor.videos, len(source.readable("train"))) * monitor.points
    return [Part("looks at the features", shape, -(-videos // (shape.clips * config.training.workers)))]


def _reads_alike(shape: Shape, other: Shape) -> bool:
    return {**shape.about, "clips": 0} == {**other.about, "clips": 0}


@cache
def _state_share(optimizer: Chosen) -> float:
    """Bytes of an optimizer's state per byte of weights, measured on one small matrix."""
    import torch
    from torch import nn

    module = nn.Linear(64, 64, bias=False)
    built: torch.optim.Optimizer = optimizer.build(module, 0.1)
    module.weight.grad = torch.zeros_like(module.weight)
    built.step()
    kept = [value for state in built.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    return sum(value.nbytes for value in kept if value.dim()) / module.weight.nbytes


def checkpoint_bytes(config: CellConfig, objective: Objective) -> int:
    """Weights, buffers (queue and bank among them) and the optimizer's state; curves are left out."""
    trained = sum(p.numel() * p.element_size() for p in objective.parameters() if p.requires_grad)
    return _bytes(objective) + int(trained * _state_share(config.optimizer))


def _bytes(module: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in module.state_dict().values())


def objective_on_meta(config: CellConfig, videos: int, classes: int = 2) -> Objective:
    """The objective on the meta device, for this number of training videos."""
    import torch

    from raysl.objectives.build import objective_on

    backbone = copy.deepcopy(_drawn(config.backbone))  # terms may change their backbone
    with torch.device("meta"):
        return objective_on(backbone, not_inflated(config), range(videos), total_steps=1, classes=classes)


@cache
def _drawn(backbone: Chosen) -> Backbone:
    """The backbone on the meta device, cached: many cells of all studies have the same."""
    import torch

    with torch.device("meta"):
        drawn: Backbone = backbone.build()
    return drawn


def not_inflated(config: CellConfig) -> CellConfig:
    """The same network, without the file of weights, which its shapes do not need."""
    options = config.backbone.options
    if getattr(options, "init", None) != "inflate":
        return config
    random = options.model_copy(update={"init": "random", "inflate_from": None})
    return config.model_copy(update={"backbone": Chosen("backbone", config.backbone.name, random)})


def distinct_shapes(costs: Iterable[CellCost]) -> list[Shape]:
    """Each shape once, in the order in which they occur."""
    return list({shape.key: shape for cost in costs for part in cost.parts for shape in part.shapes}.values())


def wall_seconds(seconds: Iterable[float], width: int) -> float:
    """When the last of these ends if ``width`` run at the same time and each begins as soon as it can."""
    ends = [0.0] * width
    for one in seconds:
        heapq.heappush(ends, heapq.heappop(ends) + one)
    return max(ends)


def cache_bytes(sets: Iterable[tuple[Chosen, int]], data: KnownData) -> tuple[int, list[str]]:
    """Bytes of the decoded frames of data sets (each with its short side), and the names of those not decoded yet."""
    files: dict[Path, int] = {}
    unread: list[str] = []
    for chosen, resize in sets:
        source = data.source(chosen, resize)
        if source is None or not data.is_decoded(chosen, resize):
            unread.append(chosen.bound_name)
            continue
        for row in source.manifest.rows:
            if row.error is None:
                files[source.cache.path(row.fingerprint)] = source.cache.bytes_of(row)
    return sum(files.values()), list(dict.fromkeys(unread))
