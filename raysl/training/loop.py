"""One attempt at pretraining a cell, on one rank."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.places import NOTHING
from raysl.data.source import VideoSource
from raysl.distributed import gather_objects, of_all_ranks, on_every_rank, rank, world_size
from raysl.errors import CellFailure, LeftError, NodeFault, RayslError
from raysl.models.backbone import Backbone
from raysl.models.batch_norm import average_statistics
from raysl.objectives.build import build_objective
from raysl.signals import saving_first
from raysl.training.batches import Signals, StepBatches, exchange
from raysl.training.check_cell import check_accumulation
from raysl.training.checkpoint import Checkpoint, random_state, restore_random_state, seed_rank
from raysl.training.curves import curve_row
from raysl.training.learner import Learner
from raysl.training.length import Length, training_length
from raysl.training.memory import PEAK, peak_columns
from raysl.training.monitor import Monitor, Watch
from raysl.training.parameter_groups import WeightPenalty
from raysl.training.precision import Precision, colors_on_device
from raysl.training.probe import Probe
from raysl.training.progress import Pace, Progress
from raysl.training.recorder import Recorder
from raysl.training.step_values import Mark, StepValues
from raysl.training.summary import Summary
from raysl.training.unreadable import Unreadable
from raysl.views.loader import PretrainingLoader
from raysl.views.loader_choice import LoaderChoice
from raysl.views.order import EpochOrder
from raysl.views.training_videos import training_videos, trains_boxes

REPORT_SECONDS = 10.0
"""Progress is reported at least this often."""

ProgressCallback = Callable[[Progress], None]


class KilledError(Exception):
    """Raised by `pretrain` after ``stop_after`` steps."""


@dataclass
class _Taken:
    """A step that was taken, whose values may not be read yet.

    Attributes:
        begun, loaded, finished: when the step began, every rank had its batch, and it was over.
        unreadable: training videos that could not be read so far.
        penalty: of the weights after the step, where a row of the curves is due.
        measured: columns of a monitor.
    """

    step: int
    begun: Mark
    loaded: Mark
    finished: Mark
    unreadable: int
    penalty: WeightPenalty | None = None
    measured: dict[str, float] = field(default_factory=dict)


class Run:
    """Objective, data and totals of one rank; the constructor and `train` are collective.

    Args:
        found: the checkpoint to resume from; None: begin.
        unreadable: videos of the training split that the manifest marks; the run adds those that fail later.
        attempts: those that reached a checkpoint, and this one, with their hardware.
        cores: CPU cores that all ranks use.
        files: name of a weights file to the file, for backbones that are inflated.
        start: the trained backbone of the cell that this one starts from; None: as `build_objective` makes it.
        monitor: measures the backbone; its numbers become columns of the curves.
    """

    def __init__(
        self,
        cell: CellConfig,
        source: VideoSource,
        *,
        found: Checkpoint | None,
        unreadable: Unreadable,
        precision: Precision,
        device: torch.device,
        attempts: list[dict[str, Any]],
        cores: int,
        files: Mapping[str, Path] = NOTHING,
        start: Backbone | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.cell, self.device, self.precision = cell, device, precision
        self.attempts, self._cores = attempts, cores
        self.unreadable, self._missing, self._left_out = unreadable, len(source.catalog.missing), 0
        self.first = found.step if found is not None else 0
        self.loader, self.learner, self.length = on_every_rank(lambda: self._build(source, files, start))
        clips = cell.training.batch_size * cell.training.accumulate * len(self.learner.objective.view_names)
        self._clips = clips
        self._last: StepValues | None = None
        self._taken = deque[_Taken]()
        self._peak: float | None = None
        self._watch = Watch(monitor, {} if found is None else found.monitored)
        self._seconds_before = 0.0
        self._pace = Pace(clips)
        seed_rank(cell.training.seed, rank())
        if found is not None:
            self._resume(found)

    def _build(
        self, source: VideoSource, files: Mapping[str, Path], start: Backbone | None
    ) -> tuple[PretrainingLoader, Learner, Length]:
        self.unreadable.check(step=0)
        training = self.cell.training
        videos = training_videos(self.cell, source)
        self._left_out = 0 if trains_boxes(self.cell) else len(source.readable("train")) - len(videos)
        order = EpochOrder(videos, training.batch_size, training.seed)
        length = training_length(training, order.steps_per_epoch)
        objective = build_objective(
            self.cell, videos, length.steps, classes=len(source.catalog.classes), files=files, start=start
        )
        check_accumulation(self.cell, objective)
        loader = PretrainingLoader(
            self.cell,
            source,
            view_names=objective.view_names,
            rank=rank(),
            world_size=world_size(),
            videos=videos,
            pin=self.device.type == "cuda",
            finish=not colors_on_device(training.colors_on, self.device),
            on_choice=self._loaders_chosen,
        )
        learner = Learner(
            objective,
            self.cell,
            total_steps=length.steps,
            steps_per_epoch=length.steps_per_epoch,
            device=self.device,
            precision=self.precision,
        )
        return loader, learner, length

    def _loaders_chosen(self, choice: LoaderChoice) -> None:
        """Keeps in the attempt's record how many loader processes this rank chose."""
        if self.attempts:
            self.attempts[-1] |= {"loader_workers": choice.processes, "loader_choice": choice.record()}

    def _resume(self, found: Checkpoint) -> None:
        self.learner.load(found.model, found.optimizer, found.schedule)
        self.unreadable.add(found.unreadable)
        self._seconds_before = found.seconds
        self._pace = Pace(self._clips, found.measured_seconds, found.measured_clips)
        if len(found.random) == world_size():
            restore_random_state(found.random[rank()], self.device)

    def train(
        self,
        recorder: Recorder | None,
        on_progress: ProgressCallback | None,
        stop_after: int | None,
        probe: Probe | None = None,
    ) -> None:
        """Takes the remaining steps.

        Args:
            recorder: on rank 0; None elsewhere.
            on_progress: called on every rank at the same steps: after each epoch, and every `REPORT_SECONDS`.
            stop_after: raises `KilledError` after this step (from 1).
            probe: evaluates the backbone, with running statistics over all ranks.

        Raises:
            CellFailure: on every rank at the same step, with the step and the last good values.
            LeftError: the run was requested to end (`raysl.signals`); on every rank, after a checkpoint.
        """
        with saving_first():
            self._train(recorder, on_progress, stop_after, probe)

    def _train(
        self,
        recorder: Recorder | None,
        on_progress: ProgressCallback | None,
        stop_after: int | None,
        probe: Probe | None,
    ) -> None:
        batches = StepBatches(self.loader, self.length, self.cell.training.accumulate, self.first, self.device)
        every = self.cell.training.checkpoint_steps or self.length.steps_per_epoch
        if self.first == self.length.steps:  # killed between the last checkpoint and the marker
            self.save(recorder, self.first)
        reported = time.monotonic()
        for done in range(self.first + 1, self.length.steps + 1):
            due = time.monotonic() - reported > REPORT_SECONDS
            number = None if probe is None else probe.due(done, self.length.steps)
            try:
                signals = self._step(batches, done, due, recorder)
                saves = done % every == 0 or done == self.length.steps or signals.save or signals.leave
                reports = signals.tick or self.length.ends_epoch(done)
                stops = saves or reports or number is not None or done == stop_after
                self._look(recorder, 0 if stops else self.learner.ahead)
            except RayslError as error:
                first = self._first_failure(error, done, recorder)
                if first is error:
                    raise
                raise first from error
            if reports:
                reported = time.monotonic()
                self._report(done, recorder, on_progress)
            if saves:
                self.save(recorder, done)
            if signals.leave and done < self.length.steps:
                raise of_all_ranks(LeftError(f"it was ended from outside; a rerun continues after step {done}"))
            if probe is not None and number is not None:
                average_statistics(self.learner.objective)
                probe.look(self.learner.objective.backbone, number)
            if done == stop_after:
                raise KilledError(f"stopped after step {done}")

    def _step(self, batches: StepBatches, done: int, due: bool, recorder: Recorder | None) -> Signals:
        begun = Mark(self.device)
        step_batches, failure = batches.next()
        failed_paths = tuple(path for batch in step_batches for path in batch.unreadable)
        signals = exchange(failure, failed_paths, due, self.device)
        if signals.unreadable and self.cell.init is not None:
            # No other video replaces one: all rows of a table are fine-tuned on the same ones.
            raise of_all_ranks(
                NodeFault(
                    f"{', '.join(signals.unreadable)} could be read earlier, and cannot be read now: restore the file",
                    may_pass=True,
                )
            )
        self.unreadable.add(signals.unreadable)
        self.unreadable.check(done)
        loaded = Mark(self.device)
        logs = done % self.cell.training.log_steps == 0 or done == self.length.steps
        measures = self._watch.due(done, self.length.steps)
        self.learner.take(step_batches, done - 1, metrics=logs or measures)
        taken = _Taken(done, begun, loaded, Mark(self.device), self.unreadable.count)
        self._taken.append(taken)
        if measures:
            self.learner.check()
            taken.measured = self._watch.measure(self.learner.objective.backbone)
        if taken.measured or (recorder is not None and logs):
            taken.penalty = WeightPenalty(self.learner.optimizer.param_groups)
        return signals

    def _look(self, recorder: Recorder | None, ahead: int = 0) -> None:
        """Counts the steps that were taken, except the last ``ahead``, and adds their rows to the curves.

        Raises:
            CellFailure: as `Learner.read`.
        """
        for values in self.learner.read(ahead):
            taken, self._last = self._taken.popleft(), values
            waited = taken.loaded.seconds_since(taken.begun)
            computed = taken.finished.seconds_since(taken.loaded)
            self._pace.step(waited + computed, waited)
            if taken.penalty is None:
                continue
            row = curve_row(
                taken.step,
                self.length.epoch(taken.step),
                values,
                data_seconds=waited,
                compute_seconds=computed,
                clips=self._clips,
                unreadable=taken.unreadable,
                weight_penalty=taken.penalty.read(),
            )
            row |= taken.measured | peak_columns(self.device)
            self._peak = max(self._peak or 0.0, row[PEAK]) if PEAK in row else self._peak
            self._watch.record(row)
            if recorder is not None:
                recorder.add(row)

    def _first_failure(self, error: RayslError, done: int, recorder: Recorder | None) -> RayslError:
        """What failed first: ``error``, or a step before that nobody had looked at yet, with the last good values."""
        try:
            self._look(recorder)
        except CellFailure as earlier:
            error = earlier
            self._look(recorder)  # the steps before it
        if not isinstance(error, CellFailure):
            return error
        last = None if self._last is None else asdict(self._last)
        return of_all_ranks(CellFailure(error.reason, {"step": done, **error.details, "last_good": last}))

    def _report(self, done: int, recorder: Recorder | None, on_progress: ProgressCallback | None) -> None:
        assert self._last is not None
        progress = Progress(
            epoch=self.length.epoch(done),
            epochs=self.length.epochs,
            step=done,
            steps=self.length.steps,
            clips_per_second=self._pace.clips_per_second,
            loss=self._last.loss,
            seconds_left=self._pace.seconds_left(self.length.steps - done),
            data_wait_share=self._pace.data_wait_share,
            monitored=self._watch.last,
            peak_memory_gib=self._peak,
        )
        if recorder is not None:
            recorder.alive(progress)
        if on_progress is not None:
            on_progress(progress)

    def save(self, recorder: Recorder | None, done: int) -> None:
        """Writes a checkpoint after ``done`` steps. Collective.

        Raises:
            StorageError: on every rank, if rank 0 cannot write it.
        """
        random, model = gather_objects(random_state(self.device)), self.learner.state()

        def write() -> None:
            if recorder is not None:
                checkpoint = self._checkpoint(recorder, done, model, random)
                recorder.save(checkpoint, last=done == self.length.steps)

        on_every_rank(write)

    def _checkpoint(
        self, recorder: Recorder, done: int, model: dict[str, Any], random: list[dict[str, Any]]
    ) -> Checkpoint:
        seconds, clips = self._pace.measured
        return Checkpoint(
            cell=cell_id(self.cell),
            step=done,
            precision=self.precision,
            model=model,
            optimizer=self.learner.optimizer.state_dict(),
            schedule=self.learner.schedule.state_dict(),
            random=random,
            monitored=self._watch.row,
            **recorder.kept(),
            unreadable=list(self.unreadable.later),
            attempts=self.attempts,
            seconds=self._seconds_before + self._pace.elapsed(),
            measured_seconds=seconds,
            measured_clips=clips,
        )

    def summary(self, recorder: Recorder) -> Summary:
        """Totals over all attempts, for rank 0."""
        seconds, clips = self._pace.measured
        speed = clips / seconds if seconds > 0 else 0.0
        return Summary(
            steps=self.length.steps,
            minutes=(self._seconds_before + self._pace.elapsed()) / 60,
            clips_per_second=speed,
            clips_per_second_per_core=speed / self._cores,
            final_loss=recorder.curves.last()["loss/total"],
            precision=self.precision,
            unreadable=self.unreadable.count,
            unreadable_paths=self.unreadable.paths,
            missing=self._missing,
            too_short=self.loader.too_short,
            left_out=self._left_out,
            attempts=recorder.attempts,
            peak_memory_gib=recorder.curves.largest(PEAK),
            data_wait_share=self._pace.data_wait_share if self._pace.clips_per_second else None,
            collapsed="" if self._watch.last is None else self._watch.last.collapsed,
        )
