"""Manifests in the results store, so that a head node without the data can plan and report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from raysl.config.component import Chosen
from raysl.config.identity import leaves
from raysl.data.manifest import from_bytes, to_bytes
from raysl.data.manifest_types import Manifest
from raysl.planning.plan import Work
from raysl.results.store import Store

NO_DATA = "none"
"""Stands in a cell's folder name where nothing is trained, so no data is read."""


def manifest_key(data: Chosen) -> str:
    """``ucf101-1a2b3c4d``: the data set and a hash of its options."""
    pairs = sorted((".".join(path), value) for path, value in leaves(data.options))
    text = json.dumps([data.name, data.component.version, pairs], sort_keys=True)
    return f"{data.name.replace('.', '_')}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def needed_data(work: Iterable[Work]) -> dict[str, tuple[Chosen, int]]:
    """Key to (data set, short side in pixels) for everything that the work reads."""
    needed: dict[str, tuple[Chosen, int]] = {}
    for item in work:
        sets = [evaluation.config.data for evaluation in item.evaluations.values()]
        if item.cell.pretraining != "none":
            sets.insert(0, item.cell.data)
        for data in sets:
            needed.setdefault(f"{manifest_key(data)}@{item.cell.clip.resize}", (data, item.cell.clip.resize))
    return needed


def save_manifest(store: Store, data: Chosen, manifest: Manifest) -> None:
    """Keeps a manifest, as the newest of its data set and under its own hash."""
    content = to_bytes(manifest)
    store.write(f"manifests/{manifest_key(data)}/{manifest.hash}", content)
    store.write(f"manifests/{manifest_key(data)}/newest", content)


def stored_manifest(store: Store, data: Chosen) -> Manifest | None:
    """The newest manifest of a data set, or None where none was ever made."""
    content = store.read(f"manifests/{manifest_key(data)}/newest")
    return None if content is None else from_bytes(content)


def data_hash(item: Work, manifests: dict[str, Manifest]) -> str:
    """Second half of a cell's folder name."""
    return NO_DATA if item.cell.pretraining == "none" else manifests[manifest_key(item.cell.data)].hash
