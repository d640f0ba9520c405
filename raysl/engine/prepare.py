"""The data sets of a run: read where they lie, before anything trains on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysl.config.component import Chosen
from raysl.data.catalog import CatalogReader
from raysl.data.manifest import from_bytes, to_bytes
from raysl.data.manifest_types import Manifest
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.engine.board import Post
from raysl.engine.cluster import Cluster
from raysl.errors import RayslError
from raysl.planning.manifests import manifest_key, needed_data, save_manifest, stored_manifest
from raysl.planning.plan import Work
from raysl.results import Store


@dataclass(frozen=True)
class Prepared:
    """What is known of the data sets, by `manifest_key`.

    Attributes:
        manifests: the newest of each, read now or, where no node has the data any more, from the store.
        unavailable: why it cannot be read.
    """

    manifests: dict[str, Manifest]
    unavailable: dict[str, str]


def prepare_data(
    work: Sequence[Work], store: Store, places: Places, cluster: Cluster, board: Any, note: Callable[[str], None]
) -> Prepared:
    """Makes files and manifests that are absent and fills the frame cache, on a node that has the data.

    Raises:
        StorageError: the manifests cannot be kept.
    """
    manifests: dict[str, Manifest] = {}
    unavailable: dict[str, str] = {}
    for data, resize in needed_data(work).values():
        key = manifest_key(data)
        try:
            manifest = _read(data, resize, places, cluster, Post(board, f"data/{data.bound_name}"))
        except RayslError as error:
            unavailable[key] = str(error)
            stored = stored_manifest(store, data)
            if stored is not None:
                manifests[key] = stored
            note(f"data set {data.bound_name}: {error}")
            continue
        if manifests.get(key) != manifest:
            save_manifest(store, data, manifest)
        manifests[key] = manifest
        note(f"data set {data.bound_name}: {_described(manifest)}")
    return Prepared(manifests, unavailable)


def _described(manifest: Manifest) -> str:
    unreadable = manifest.unreadable()
    text = f"{len(manifest.rows)} videos"
    if unreadable:
        path, reason = next(iter(unreadable.items()))
        text += f", {len(unreadable)} of them unreadable (first: {path}: {reason})"
    return text


def _read(data: Chosen, resize: int, places: Places, cluster: Cluster, post: Post) -> Manifest:
    """Asks one node after the other, this machine first: roots may be bound on some alone."""
    failure: RayslError | None = None
    for node, cpus in cluster.node_cpus.items():
        here = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
        if not data.build().needs_root:
            make = cast(Any, ray.remote)(num_cpus=1, **here)(_make_here)
            ray.get([make.remote(data, places, post) for _ in range(cpus)])
        read = cast(Any, ray.remote)(num_cpus=cpus, **here)(_read_here)
        result: bytes | RayslError = ray.get(read.remote(data, resize, places, post))
        if isinstance(result, bytes):
            return from_bytes(result)
        failure = failure or result
    assert failure is not None
    raise failure


def _make_here(data: Chosen, places: Places, post: Post) -> None:
    """The task, one a CPU: they share the making of a data set's files. What fails here fails in reading too."""
    post(stage="making")
    reader: CatalogReader = data.build()
    with contextlib.suppress(RayslError):
        reader.prepare(places.root(data))


def _read_here(data: Chosen, resize: int, places: Places, post: Post) -> bytes | RayslError:
    """The task: the manifest, or why this node cannot make it."""

    def progress(done: int, total: int) -> None:
        post(stage="reading", done=done, total=total)

    post(stage="reading")
    try:
        manifest = open_source(data, places, resize=resize, processes=None, progress=progress).manifest
    except RayslError as error:
        return error
    finally:
        post(stage="ended")
    return to_bytes(manifest)
