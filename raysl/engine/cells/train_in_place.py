"""A `TorchTrainer` whose workers stand in the placement group that Tune reserved for the trial that it runs in.

Train V2 (Ray 2.60) reserves a group of its own for its workers, once the trial runs. An autoscaler then sees one cell
after the other, two groups wait for each other on a full cluster, and a controller that is killed leaves its group
reserved. Train has no option for it, so that these few methods of its own are replaced; tests/engine/test_run.py
fails where another Ray has others.
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
    """Asks the autoscaler for nothing: it sees the trial's group."""

    def after_controller_start(self, train_run_context: TrainRunContext) -> None: ...

    def _maybe_send_resource_request(self) -> None: ...


class TrainerInPlace(TorchTrainer):
    """To be run in an actor of a Tune trial whose first bundles are the workers'."""

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = cast(Any, super())._create_default_callbacks()
        return [one for one in callbacks if not isinstance(one, NEEDLESS)]

    def _initialize_and_run_controller(self, **given: Any) -> Any:
        """In this thread: an actor for it would be a process that imports all of Train, and one more to be lost."""
        given["scaling_policy"] = _Fixed(scaling_config=cast(Any, self.scaling_config))
        controller = cast(Any, _Controller)(**given)
        asyncio.run(controller.run())
        return controller.get_result()
