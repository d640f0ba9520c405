"""The store: one folder a cell, on a local disk or on an object store.

``raysl.results.open(storage)`` gives a `Store`; ``raysl.results.open(storage).frame()`` a pandas table of
cells x evaluations with every configuration field.
"""

from raysl.results.attempt import Attempt
from raysl.results.cell import CellFolder, CellState
from raysl.results.export import slim_copy, slim_search
from raysl.results.search import SearchFolder, SearchTrial, best_trials
from raysl.results.store import Store, open

__all__ = [
    "Attempt", "CellFolder", "CellState", "SearchFolder", "SearchTrial", "Store", "best_trials", "open", "slim_copy",
    "slim_search",
]  # fmt: skip
