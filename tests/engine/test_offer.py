"""What fits on a cluster, what never will, and what may come."""

from __future__ import annotations

import pytest

from raysl.engine.offer import NodeType, Offer

CPU, GPU = {"CPU": 1.0}, {"CPU": 4.0, "GPU": 1.0}
SMALL = NodeType("small", {"CPU": 2.0}, {}, 1, 1)
HEAD = NodeType("head", {}, {}, 1, 1)
CARDS = NodeType("cards", {"CPU": 16.0, "GPU": 4.0}, {"zone": "a"}, 0, 3)


def fixed(*types: NodeType) -> Offer:
    return Offer(types, grows=False, known=True)


@pytest.mark.parametrize(
    ("types", "bundle", "now", "in_all"),
    [
        ((SMALL,), CPU, 2, 2),
        ((SMALL,), {"CPU": 3.0}, 0, 0),
        ((HEAD, CARDS), GPU, 0, 12),
        ((HEAD, CARDS), {"CPU": 1.0, "GPU": 0.25}, 0, 48),
        ((SMALL, CARDS), {"CPU": 0.1}, 20, 500),
    ],
)
def test_workers_that_fit_now_and_in_all(
    types: tuple[NodeType, ...], bundle: dict[str, float], now: int, in_all: int
) -> None:
    offer = Offer(types, grows=True, known=True)
    assert (offer.fitting(bundle, {}, now=True), offer.fitting(bundle, {})) == (now, in_all)


def test_labels_choose_nodes() -> None:
    offer = Offer((SMALL, CARDS), grows=True, known=True)
    assert offer.fitting(CPU, {"zone": "a"}) == 48
    assert offer.fitting(CPU, {"zone": "b"}) == 0
    assert offer.never(CPU, 1, {"zone": "b"}) == "no node has the labels zone=b: there is zone=a"
    assert offer.never(CPU, 1, {"rack": "1"}) == "no node has the labels rack=1: there is none of these names"


@pytest.mark.parametrize(
    ("offer", "bundle", "size", "reason"),
    [
        (fixed(SMALL), CPU, 3, "only 2 fit on all nodes that there can be: small (2 CPU; 1)"),
        (fixed(SMALL), {"CPU": 3.0}, 1, "no node is as large: the nearest is small (2 CPU; 1)"),
        (fixed(SMALL), GPU, 1, "no node has any GPU: there is small (2 CPU; 1)"),
        (
            Offer((HEAD, CARDS), grows=True, known=True),
            {"CPU": 4.0, "GPU": 8.0},
            1,
            "no node is as large: the nearest is cards (16 CPU, 4 GPU; 0 of up to 3)",
        ),
        (Offer((HEAD, CARDS), grows=True, known=True), GPU, 13, "only 12 fit on all nodes"),
    ],
)
def test_what_no_node_can_give_is_said_with_the_nearest(
    offer: Offer, bundle: dict[str, float], size: int, reason: str
) -> None:
    assert (offer.never(bundle, size, {}) or "").startswith(reason)


@pytest.mark.parametrize(
    ("offer", "bundle"),
    [
        (fixed(SMALL), CPU),
        (fixed(HEAD), CPU),  # nodes for work have not joined yet
        (Offer((HEAD, CARDS), grows=True, known=True), GPU),
        (Offer((HEAD,), grows=True, known=False), GPU),  # its autoscaler cannot be asked from here
    ],
)
def test_what_may_come_is_waited_for(offer: Offer, bundle: dict[str, float]) -> None:
    assert offer.never(bundle, 1, {}) is None
