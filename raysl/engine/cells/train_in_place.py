"""A `TorchTrainer` with its workers in the placement group that Tune reserved for the trial that it runs in.

Train V2 (Ray 2.54 to 2.60) reserves another group for its workers once the trial runs. An autoscaler then sees one
cell after the other, two groups wait for each other on a full cluster, and a killed controller leaves its group
reserved. Train has no option for this, so these few methods are replaced (Ray 2.53 has no such method);
tests/engine/test_run.py fails if another version of Ray has changed them.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.context import TrainRunContext
from ray.train.v2._internal.execution.controller.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.train.v2._internal.execution.worker_group.worker_group import WorkerGroup
from ray.util import get_current_placement_group

NEEDLESS = (PlacementGroupCleanerCallback, DatasetsCallback)
"""Train's defaults that are left out. The first frees the placement group, which is Tune's. The second starts an actor
for each run and has each worker import Ray Data, for Ray datasets, of which there are none."""


class _Reserved(DefaultPlacementGroupHandle):
    """The trial's placement group, which outlives this Train run."""

    def shutdown(self) -> None:
        """Tune frees it."""


class _Workers(WorkerGroup):
    def _create_placement_group(self, scaling_config: Any, worker_group_context: Any) -> _Reserved:
        return _Reserved(cast(Any, get_current_placement_group()))


class _Controller(TrainController):
    worker_group_cls = _Workers


class _Fixed(FixedScalingPolicy):
    """Requests nothing from the autoscaler, which sees the trial's group."""

    def after_controller_start(self, train_run_context: TrainRunContext) -> None: ...

    def _maybe_send_resource_request(self) -> None: ...


class TrainerInPlace(TorchTrainer):
    """To be run in an actor of a Tune trial; the first bundles of its group are the workers'."""

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = cast(Any, super())._create_default_callbacks()
        return [one for one in callbacks if not isinstance(one, NEEDLESS)]

    def _initialize_and_run_controller(self, **given: Any) -> Any:
        """Runs the controller in this thread: an actor would be one more process to import Train, and to be lost."""
        given["scaling_policy"] = _Fixed(scaling_config=cast(Any, self.scaling_config))
        controller = cast(Any, _Controller)(**given)
        asyncio.run(controller.run())
        return controller.get_result()
