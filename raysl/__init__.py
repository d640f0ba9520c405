"""raysl: a Ray-distributed ablation engine for self-supervised video representation learning.

``load_study`` reads a study, ``plan`` lists its cells, ``run`` computes what a results store lacks, and ``open_store``
opens one; ``load_backbone``, ``embed`` and ``export_backbone`` carry a trained backbone into code of one's own.
Each is imported when it is first asked for, so that ``import raysl`` takes no time; see `raysl.api`.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from raysl.api import (
        Plan,
        PlannedCell,
        Run,
        Store,
        Study,
        embed,
        export_backbone,
        load_backbone,
        load_study,
        open_store,
        plan,
        run,
    )
    from raysl.commands.cell_results import CellResults
    from raysl.errors import CellFailure, ConfigError, DataError, NodeFault, RayslError, StorageError
    from raysl.evaluation.embed import Embedding
    from raysl.work.workers import WorkerOptions

_FROM = {
    **dict.fromkeys(("Plan", "PlannedCell", "Run", "Store", "Study"), "raysl.api"),
    **dict.fromkeys(
        ("embed", "export_backbone", "load_backbone", "load_study", "open_store", "plan", "run"), "raysl.api"
    ),
    "CellResults": "raysl.commands.cell_results",
    **dict.fromkeys(
        ("CellFailure", "ConfigError", "DataError", "NodeFault", "RayslError", "StorageError"), "raysl.errors"
    ),
    "Embedding": "raysl.evaluation.embed",
    "WorkerOptions": "raysl.work.workers",
}
"""Name to the module that it is imported from when it is first asked for (PEP 562)."""

__all__ = [
    "CellFailure",
    "CellResults",
    "ConfigError",
    "DataError",
    "Embedding",
    "NodeFault",
    "Plan",
    "PlannedCell",
    "RayslError",
    "Run",
    "StorageError",
    "Store",
    "Study",
    "WorkerOptions",
    "__version__",
    "embed",
    "export_backbone",
    "load_backbone",
    "load_study",
    "open_store",
    "plan",
    "run",
]


def __getattr__(name: str) -> object:
    if name not in _FROM:
        raise AttributeError(f"module 'raysl' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_FROM[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
