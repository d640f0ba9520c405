"""The store: one folder per cell, on a local disk or an object store.

``raysl.results.open(storage)`` gives a `Store`; ``raysl.results.open(storage).frame()`` a pandas table of
cells x evaluations with every configuration field.
"""

from raysl.results.attempt import Attempt
from raysl.results.folder import CellFolder, CellState
from raysl.results.search_folder import SearchFolder, SearchTrial, best_trials
from raysl.results.shelf import KEPT, NO_DATA, Shelf, StoredCell, StoredEvaluation
from raysl.results.slim import slim_copy, slim_search
from raysl.results.store import Store, open
from raysl.results.titles import Title, Titles, titles_of

__all__ = [
    "KEPT",
    "NO_DATA",
    "Attempt",
    "CellFolder",
    "CellState",
    "SearchFolder",
    "SearchTrial",
    "Shelf",
    "Store",
    "StoredCell",
    "StoredEvaluation",
    "Title",
    "Titles",
    "best_trials",
    "open",
    "slim_copy",
    "slim_search",
    "titles_of",
]
