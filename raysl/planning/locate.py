"""Where in a store a plan's cells and evaluations lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from raysl.config.component import Chosen
from raysl.data.manifest_types import Manifest
from raysl.planning.manifests import NO_DATA, manifest_key, stored_manifest
from raysl.planning.plan import PlannedCell, PlannedEvaluation, Work
from raysl.planning.search import Search
from raysl.results.store import Store


@dataclass
class Locator:
    """Names of folders and evaluations, from the manifests that the store keeps; reads no data set."""

    store: Store
    _manifests: dict[str, Manifest | None] = field(default_factory=dict)
    _names: list[str] | None = None

    def manifest(self, data: Chosen) -> Manifest | None:
        """The newest manifest of a data set, or None where no run has made one yet."""
        key = manifest_key(data)
        if key not in self._manifests:
            self._manifests[key] = stored_manifest(self.store, data)
        return self._manifests[key]

    def folder(self, cell: PlannedCell | Work) -> str | None:
        """``<id>-<hash of the manifest>``; None where no such cell was ever begun.

        Without a manifest in the store (a cell trained by ``python -m raysl.training`` alone) it is found by its id.
        """
        if cell.cell.pretraining == "none":
            return f"{cell.id}-{NO_DATA}"
        manifest = self.manifest(cell.cell.data)
        return self._by_id(cell.id) if manifest is None else f"{cell.id}-{manifest.hash}"

    def _by_id(self, cell_id: str) -> str | None:
        if self._names is None:
            self._names = [folder.name for folder in self.store.cells()]
        found = [name for name in self._names if name.startswith(f"{cell_id}-")]
        return found[0] if len(found) == 1 else None

    def search(self, search: Search) -> str | None:
        """``<id>-<hash of the manifest that it trains on>``, and that of its scores where they are made on another."""
        sets = {manifest_key(data): self.manifest(data) for data in (search.base.cell.data, search.data)}
        hashes = [manifest.hash for manifest in sets.values() if manifest is not None]
        return "-".join([search.id, *hashes]) if len(hashes) == len(sets) else None

    def evaluation(self, evaluation: PlannedEvaluation) -> str | None:
        """``<id>-<hash of the manifest of its own data set>``; None as above."""
        manifest = self.manifest(evaluation.config.data)
        return None if manifest is None else f"{evaluation.id}-{manifest.hash}"
