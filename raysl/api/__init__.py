"""Studies, runs and their results from Python: what ``import raysl`` offers.

Every function does what the command of its name does, and returns what that prints. The examples are run by a test, in
one folder: those of `studies`, `runs`, `stores` and `backbones`, in this order.
"""

from raysl.api.backbones import embed, export_backbone, load_backbone
from raysl.api.runs import Run, run
from raysl.api.stores import Store, open_store
from raysl.api.studies import Plan, PlannedCell, Study, load_study, plan

__all__ = [
    "Plan",
    "PlannedCell",
    "Run",
    "Store",
    "Study",
    "embed",
    "export_backbone",
    "load_backbone",
    "load_study",
    "open_store",
    "plan",
    "run",
]
