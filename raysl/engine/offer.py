"""What a cluster has, what its autoscaler can add, and whether cells fit."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import ray
import yaml
from ray.experimental.internal_kv import _internal_kv_get

AUTOSCALER_STATUS = "__autoscaling_status"
"""Key under which Ray's autoscaler publishes its status and nodes. Without an autoscaler node names begin as below."""
NO_TYPE = "node_"

AUTOSCALER_SECONDS = 15.0
"""Seconds within which the autoscaler of a new head publishes its status; it does so every 5 s."""

Resources = Mapping[str, float]


@dataclass(frozen=True)
class NodeType:
    """Nodes that are alike.

    Attributes:
        resources: of one node.
        labels: of one node.
        alive: how many there are.
        most: how many there can be.
    """

    name: str
    resources: Resources
    labels: Mapping[str, str]
    alive: int
    most: int

    def fitting(self, bundle: Resources) -> int:
        """How many workers fit on one node."""
        return int(min(self.resources.get(name, 0.0) / amount + 1e-9 for name, amount in bundle.items() if amount))

    def has(self, labels: Mapping[str, str]) -> bool:
        return all(self.labels.get(name) == value for name, value in labels.items())

    def shown(self) -> str:
        """``gpu-worker (8 CPU, 1 GPU; 0 of up to 4)``"""
        count = f"{self.alive}" if self.alive == self.most else f"{self.alive} of up to {self.most}"
        return f"{self.name} ({shown(self.resources)}; {count})"


@dataclass(frozen=True)
class Offer:
    """What a cluster has and can get.

    Attributes:
        types: node types, with the autoscaler's if they are known.
        grows: there is an autoscaler.
        known: all of its node types are among ``types``.
    """

    types: tuple[NodeType, ...]
    grows: bool
    known: bool

    def most(self, name: str, now: bool = False) -> float:
        """The amount of a resource that there can be, or that there is now."""
        return sum(one.resources.get(name, 0.0) * (one.alive if now else one.most) for one in self.types)

    def fitting(self, bundle: Resources, labels: Mapping[str, str], now: bool = False) -> int:
        """How many workers fit at the same time on the nodes that there can be, or that there are now."""
        fit = [one.fitting(bundle) * (one.alive if now else one.most) for one in self.types if one.has(labels)]
        return sum(fit)

    def never(self, bundle: Resources, size: int, labels: Mapping[str, str]) -> str | None:
        """Why this number of workers can never run, with what comes nearest; None if they can, or may.

        Nodes may still join a cluster without worker nodes, and an autoscaler with unknown node types may have one that
        fits.
        """
        fit = self.fitting(bundle, labels)
        if fit >= size or (self.grows and not self.known):
            return None
        with_labels = [one for one in self.types if one.has(labels) and one.most]
        useful = [one for one in with_labels if all(one.resources.get(name) for name in bundle)]
        if not useful and not self.grows and not any(one.resources.get("CPU") for one in self.types):
            return None
        if not with_labels:
            wanted = ", ".join(f"{name}={value}" for name, value in labels.items())
            there = sorted(
                {f"{name}={one.labels[name]}" for one in self.types for name in labels if name in one.labels}
            )
            return f"no node has the labels {wanted}: there is {', '.join(there) or 'none of these names'}"
        if not useful:
            lacking = next(name for name in bundle if not self.most(name))
            return f"no node has any {lacking}: there is {self._nearest(with_labels, bundle)}"
        if not fit:
            return f"no node is as large: the nearest is {self._nearest(useful, bundle)}"
        return f"only {fit} fit on all nodes that there can be: {'; '.join(one.shown() for one in useful)}"

    @staticmethod
    def _nearest(types: Sequence[NodeType], bundle: Resources) -> str:
        def lacks(one: NodeType) -> float:
            return sum(max(0.0, 1 - one.resources.get(name, 0.0) / amount) for name, amount in bundle.items() if amount)

        return min(types, key=lacks).shown()


def shown(resources: Resources) -> str:
    """``2 CPU, 1 GPU``"""
    parts = [f"{amount:g} {name}" for name, amount in resources.items() if name not in _UNSAID and ":" not in name]
    return ", ".join(parts) or "no CPU"


def offer(without: Sequence[str] = ()) -> Offer:
    """What this process's cluster has now, and can get.

    Args:
        without: ids of nodes that do not count.
    """
    nodes = [node for node in alive_nodes() if node["NodeID"] not in without]
    status = _status()
    types = _of_autoscaler_2() or _of_autoscaler_1(status)
    declared = bool(types)
    active = cast(dict[str, int], (status.get("autoscaler_report") or {}).get("active_nodes") or {})
    grows = declared or any(not name.startswith(NO_TYPE) for name in active)
    alike: dict[str, list[NodeType]] = {}
    for node in nodes:
        labels = cast(dict[str, str], node.get("Labels") or {})
        name = labels.get("ray.io/node-group") or node["NodeManagerHostname"]
        key = json.dumps([_plain(node["Resources"]), _given(labels)], sort_keys=True)
        alike.setdefault(key, []).append(NodeType(name, _plain(node["Resources"]), labels, 1, 1))
    found = []
    for group in alike.values():
        known = next((name for name, one in types.items() if _same(one.resources, group[0].resources)), None)
        one = types.pop(known) if known is not None else group[0]
        found.append(NodeType(one.name, group[0].resources, group[0].labels, len(group), max(one.most, len(group))))
    return Offer((*found, *types.values()), grows, declared or not grows)


def room(bundle: Resources, labels: Mapping[str, str], without: Sequence[str] = ()) -> int:
    """How many workers fit at the same time on what is free now.

    Args:
        without: ids of nodes that do not count.
    """
    from ray._private.state import state  # no public call gives what is free on each node

    free: dict[str, Resources] = cast(Any, state).available_resources_per_node()
    nodes = [node for node in alive_nodes() if node["NodeID"] not in without]
    left = [NodeType("", free.get(node["NodeID"], {}), node.get("Labels") or {}, 1, 1) for node in nodes]
    return sum(one.fitting(bundle) for one in left if one.has(labels))


def alive_nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = cast(Any, ray).nodes()
    return [node for node in nodes if node["Alive"]]


def silent_nodes() -> list[str]:
    """Ids of nodes that Ray counts as alive but that accept no connection: it notices a lost machine some 15 s after
    its processes."""
    return [
        node["NodeID"] for node in alive_nodes() if not _listens(node["NodeManagerAddress"], node["NodeManagerPort"])
    ]


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def nodes_that_leave() -> frozenset[str]:
    """Ids of the nodes that will soon be gone: spot machines with notice, and those the autoscaler releases."""
    from ray._private.state import state

    return frozenset(cast(Any, state).get_draining_nodes())


_UNSAID = ("memory", "object_store_memory")


def _plain(resources: Resources) -> dict[str, float]:
    return {name: amount for name, amount in resources.items() if name not in _UNSAID and not name.startswith("node:")}


def _given(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != "ray.io/node-id"}


def _same(one: Resources, other: Resources) -> bool:
    return _plain(one) == _plain(other)


def _status() -> dict[str, Any]:
    """The autoscaler's last status; empty in the first seconds of a cluster."""
    said = _internal_kv_get(AUTOSCALER_STATUS)
    status: dict[str, Any] = json.loads(said) if said else {}
    return status


def await_autoscaler() -> None:
    """Waits until the autoscaler of a new cluster, if it has one, has published what it can add."""
    until = time.monotonic() + AUTOSCALER_SECONDS
    while "autoscaler_report" not in _status() and not _of_autoscaler_2() and time.monotonic() < until:
        time.sleep(0.2)


def _of_autoscaler_2() -> dict[str, NodeType]:
    """Node types as the second autoscaler, KubeRay's, publishes them."""
    from ray._private.state import state

    config = state.get_cluster_config()
    groups: Iterable[Any] = config.node_group_configs if config is not None else ()
    found = {}
    for one in groups:
        most = 2**20 if one.max_count == -1 else int(one.max_count)
        resources = {name: float(amount) for name, amount in one.resources.items()}
        found[one.name] = NodeType(one.name, _plain(resources), dict(getattr(one, "labels", {})), 0, most)
    return found


def _of_autoscaler_1(status: Mapping[str, Any]) -> dict[str, NodeType]:
    """Node types of ``ray up``: the first autoscaler reads them from a file that its command line names. Known on the
    machine that it runs on, the head."""
    try:
        command = Path(f"/proc/{int(status['monitor_pid'])}/cmdline").read_bytes().decode().split("\0")
        files = [word.partition("=")[2] for word in command if word.startswith("--autoscaling-config=")]
        if not any(word.endswith("monitor.py") for word in command) or not files or not os.access(files[0], os.R_OK):
            return {}
        config = yaml.safe_load(Path(files[0]).read_text(encoding="utf-8"))
    except (KeyError, ValueError, OSError, yaml.YAMLError):
        return {}
    found, head = {}, config.get("head_node_type")
    for name, one in (config.get("available_node_types") or {}).items():
        resources = {key: float(amount) for key, amount in (one.get("resources") or {}).items()}
        most = 1 if name == head else int(one.get("max_workers", config.get("max_workers", 0)))
        found[str(name)] = NodeType(str(name), _plain(resources), dict(one.get("labels") or {}), 0, most)
    return found
