"""A Train run inside a trial: one function on every worker, under DDP."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

LOST_PROCESSES = 2
"""How many times a cell is taken up again, from its checkpoint, after one of its processes was lost."""


@dataclass(frozen=True)
class Trained:
    """What a Train run of a cell gives.

    Attributes:
        pretrained: the backbone is there.
        failed: why anything failed, as its result.
        fault: what the workers could not do this time.
    """

    pretrained: bool
    failed: str | None = None
    fault: str | None = None


def train_over_workers(
    worker: Callable[[dict[str, Any]], Any],
    config: dict[str, Any],
    name: str,
    workers: int,
    storage: dict[str, Any],
    kind: str,
) -> Any:
    """What rank 0 of ``worker(config)`` returns. What it reports to Train reaches Tune.

    Args:
        name: of the run: the same one after a restart of the trial.
        storage: ``storage_path`` and ``storage_filesystem`` for Ray's own files.
        kind: ``CPU`` or ``GPU``: what a worker occupies.
    """
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    on_gpu = kind == "GPU"
    # Ray declares its Train V1 types here, and runs V2.
    trainer = TorchTrainer(
        cast(Any, _work),
        train_loop_config={"pickled": pickle.dumps((worker, config, storage))},
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=on_gpu, resources_per_worker={"CPU": 1, **({"GPU": 1} if on_gpu else {})}
        ),
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        run_config=ray.train.RunConfig(
            name=name,
            failure_config=cast(Any, ray.train).FailureConfig(max_failures=LOST_PROCESSES, controller_failure_limit=3),
            callbacks=[cast(Any, TuneReportCallback)()],
            **storage,
        ),
    )
    return cast(Any, trainer.fit()).return_value


def keep_files_below(storage: dict[str, Any]) -> None:
    """Puts this process's temporary files where the driver removes them: Ray kills processes without asking them."""
    if "storage_path" in storage and "storage_filesystem" not in storage:
        tempfile.tempdir = storage["storage_path"]


def _work(config: dict[str, Any]) -> Any:
    """What every rank does. Train's controller reads the configuration too: pickled, it need not import PyTorch."""
    worker, given, storage = pickle.loads(config["pickled"])
    keep_files_below(storage)
    return worker(given)
