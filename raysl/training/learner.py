"""One optimisation step: forward, backward, reduction over ranks, clipping, update."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from raysl.config.cell import CellConfig
from raysl.distributed import broadcast_from_first, is_distributed, world_size
from raysl.errors import CellFailure
from raysl.models.batch_norm import average_statistics, convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.objective import Objective, ObjectiveOutput
from raysl.training.compiling import compiled
from raysl.training.gradient_cache import GradientCache, average_gradients
from raysl.training.precision import Precision, autocast
from raysl.training.schedule import Schedule
from raysl.training.step_values import HostCopy, StepValues, TakenStep
from raysl.views.batch import Batch


class Learner:
    """The objective, its optimizer and schedule on one rank.

    Ranks take one step together, on parts of one global batch: DDP averages their gradients. If ``training.chunk`` is
    less than a rank's share of the batch, a `GradientCache` replaces DDP.

    Args:
        objective: newly built, on the CPU, the same on every rank.
        total_steps, steps_per_epoch: optimisation steps, for the schedule.

    Attributes:
        ahead: of `steps_ahead`.
    """

    def __init__(
        self,
        objective: Objective,
        cell: CellConfig,
        *,
        total_steps: int,
        steps_per_epoch: int,
        device: torch.device,
        precision: Precision,
    ) -> None:
        training = cell.training
        grouping = Grouping(training.batch_size, cell.batch_norm_group, per_view=cell.batch_norm_per_view)
        self.objective = convert_batch_norm(objective.to(device), grouping)
        self._device, self._precision = device, precision
        self._clip_norm, self._accumulate = training.clip_gradient_norm, training.accumulate
        use_channels_last(self.objective)
        if training.compile:
            self.objective.passes = compiled(self.objective.backbone, device)
        self.base_rate: float = cell.optimizer.options.learning_rate.at(training.batch_size * training.accumulate)
        self.optimizer: torch.optim.Optimizer = cell.optimizer.build(self.objective, self.base_rate)
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.schedule: Schedule = cell.schedule.build(total_steps, steps_per_epoch)
        self.ahead = steps_ahead(device)
        self._steps_per_epoch = steps_per_epoch
        self._unread = deque[TakenStep]()
        self._read = list[StepValues]()
        self._cache: GradientCache | None = None
        if training.chunk_in_use is not None and training.chunk_in_use < grouping.share:
            self._cache = GradientCache(self.objective, grouping, training.chunk_in_use, device, precision)
        self._wrapped = self._wrap()
        self.objective.train()
        if cell.batch_norm_statistics == "kept":
            for module in self.objective.backbone.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def _wrap(self) -> nn.Module:
        if not is_distributed():
            return self.objective
        # Queues and banks are built and updated identically on every rank: a broadcast would only cost time.
        # Under every name: terms may share a bank.
        buffers = self.objective.named_buffers(remove_duplicate=False)
        kept = [name for name, _ in buffers if name.startswith("terms.")]
        if self._cache is not None:
            state = self.objective.state_dict(keep_vars=True)
            broadcast_from_first([value for name, value in state.items() if name not in kept])
            return self.objective
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self.objective, kept)  # type: ignore[no-untyped-call]
        devices = [self._device] if self._device.type == "cuda" else None
        wrapped = DistributedDataParallel(self.objective, device_ids=devices)
        # Batch statistics are the same on every rank, or `average_statistics` makes them so: no broadcast each step.
        # Set afterwards: the argument was renamed, and under its old name it skips the first broadcast too.
        wrapped.broadcast_buffers = False
        return wrapped

    def step(self, batches: Sequence[Batch], step: int) -> StepValues:
        """`take`, then the step's values, for which it waits. Collective.

        Raises:
            CellFailure: as `read`.
        """
        self.take(batches, step)
        return self.read()[-1]

    def take(self, batches: Sequence[Batch], step: int, *, metrics: bool = True) -> None:
        """Takes step number ``step`` (from 0) on ``training.accumulate`` batches. Collective.

        Where steps may be ahead, weights are moved before anybody has seen whether loss and gradient are finite:
        nothing may be kept of them before `read` says so.

        Args:
            metrics: whether the objective's metrics are computed.

        Raises:
            CellFailure: as `read`; where no step may be ahead, weights, queues and banks are then unchanged.
        """
        rate = self._set_rate(step)
        self.objective.measure(metrics)
        self.objective.begin_step(step)
        self.optimizer.zero_grad(set_to_none=True)
        outputs = [self._backward(batch, last=batch is batches[-1]) for batch in batches]
        if self._cache is not None:
            average_gradients(self.objective)
        self._unread.append(self._values(outputs, step, rate))
        self._look(self.ahead)
        self.optimizer.step()
        self.objective.end_step()
        if (step + 1) % self._steps_per_epoch == 0:  # the schedule may need an epoch's losses for the next
            self._look(0)

    def read(self, ahead: int = 0) -> list[StepValues]:
        """The values of the steps that were not read yet, in order, but for the last ``ahead``.

        Raises:
            CellFailure: a loss or a gradient is not finite; it names the first such step, on every rank. Another `read`
                gives the values of the steps before it.
        """
        self._look(ahead)
        found, self._read = self._read, []
        return found

    def check(self) -> None:
        """Raises what `read` raises, and leaves it the values."""
        self._look(0)

    def _look(self, ahead: int) -> None:
        while len(self._unread) > ahead:
            taken = self._unread.popleft()
            try:
                values = taken.read()
            except CellFailure:
                self._unread.clear()  # what followed is of no use
                raise
            self.schedule.observe(taken.step, values.loss)
            self._read.append(values)

    def _set_rate(self, step: int) -> float:
        factor = self.schedule(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * (1.0 if group.get("constant_rate") else factor)
        return self.base_rate * factor

    def _backward(self, batch: Batch, *, last: bool) -> ObjectiveOutput:
        if self._cache is not None:
            return self._cache.backward(batch, 1 / self._accumulate)
        with ExitStack() as stack:
            if isinstance(self._wrapped, DistributedDataParallel) and not last:
                stack.enter_context(self._wrapped.no_sync())
            with autocast(self._device, self._precision):
                output: ObjectiveOutput = self._wrapped(batch)
            (output.loss / self._accumulate).backward()  # type: ignore[no-untyped-call]
        return output

    def _values(self, outputs: Sequence[ObjectiveOutput], step: int, rate: float) -> TakenStep:
        """Means over accumulated batches; terms and metrics are means over ranks already. Clips the gradient."""
        loss = _mean([output.loss for output in outputs])
        if is_distributed():
            dist.all_reduce(loss)
            loss /= world_size()
        terms = {name: _mean([out.terms[name] for out in outputs]) for name in outputs[0].terms}
        metrics = {name: _mean([out.metrics[name] for out in outputs]) for name in outputs[0].metrics}
        values = torch.stack([loss, _scalar(self._clip()), *terms.values(), *metrics.values()])
        return TakenStep(step, rate, tuple(terms), tuple(metrics), HostCopy(values))

    def _clip(self) -> Tensor:
        """The gradient's norm before clipping."""
        parameters = [parameter for parameter in self.objective.parameters() if parameter.grad is not None]
        if self._clip_norm is None:
            return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        return nn.utils.clip_grad_norm_(parameters, self._clip_norm)

    def state(self) -> dict[str, Any]:
        """The objective's state, with running statistics over all ranks. Collective."""
        average_statistics(self.objective)
        return self.objective.state_dict()

    def load(self, model: dict[str, Any], optimizer: dict[str, Any], schedule: dict[str, Any]) -> None:
        """Loads weights, buffers and the states of optimizer and schedule from a checkpoint."""
        self.objective.load_state_dict(model)
        # Whether a step is fused is this device's choice, not that of the device that saved.
        fused = [group.get("fused") for group in self.optimizer.param_groups]
        groups = [
            {**group, "fused": own} if "fused" in group else group
            for group, own in zip(optimizer["param_groups"], fused, strict=True)
        ]
        self.optimizer.load_state_dict({**optimizer, "param_groups": groups})
        self.schedule.load_state_dict(schedule)


def steps_ahead(device: torch.device) -> int:
    """Steps that `Learner.take` may be ahead of `Learner.read`.

    1 on a GPU, which then computes the next step while the values of one are looked at. 0 on the CPU, where looking
    costs nothing, and a step that is not finite changes nothing.
    """
    return 1 if device.type == "cuda" else 0


def use_channels_last(module: nn.Module) -> None:
    """Converts 3-D convolution weights to ``channels_last_3d`` (``nn.Module.to`` would refuse a model with 2-D ones).

    1x1x1 kernels are contiguous in both layouts. They get the strides of their gradients, so that an optimizer can
    update all weights at once: on the CPU those of the layout, on CUDA those that they had.
    """
    for parameter in module.parameters():
        if parameter.dim() == 5:
            strided = torch.empty_like(parameter.data, memory_format=torch.channels_last_3d)
            on_gpu = parameter.data.contiguous(memory_format=torch.channels_last_3d)
            parameter.data = on_gpu if parameter.is_cuda else strided.copy_(parameter.data)


def _scalar(value: Tensor) -> Tensor:
    return value.detach().double().reshape(())


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack([_scalar(value) for value in values]).mean()
