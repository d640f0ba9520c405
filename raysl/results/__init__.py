"""The store: one folder a cell, on a local disk or on an object store.

``raysl.results.open(storage)`` gives a `Store`; ``raysl.results.open(storage).frame()`` a pandas table of
cells x evaluations with every configuration field.
"""

from raysl.results.attempt import Attempt
from raysl.results.cell import CellFolder, CellState
from raysl.results.export import slim_copy
from raysl.results.store import Store, open

__all__ = ["Attempt", "CellFolder", "CellState", "Store", "open", "slim_copy"]
