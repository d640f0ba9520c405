"""Average precision of boxes in single frames, as ActivityNet evaluates AVA (Pascal VOC, intersection over union 0.5).

It follows ``Evaluation/get_ava_performance.py`` of github.com/activitynet/ActivityNet: the 50 most confident pairs of a
box and an action count in each frame; each is matched with the true box of its action that it overlaps most, and is
wrong if that box is matched already; precision is made monotonic and summed over every step of recall. Equal scores
are in the order of a stable sort: the official code leaves it open.

Shapes: P boxes of a frame, C actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysl.data.catalog import Person

LEAST_OVERLAP = 0.5
MOST_PAIRS = 50
"""Pairs of a box and an action that count in a frame."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredFrame:
    """One frame.

    Attributes:
        people: the true boxes with their actions.
        box: ``[P, 4]`` boxes to score, as `Person.box`.
        score: ``[P, C]``.
    """

    people: Sequence[Person]
    box: Floats
    score: Floats


def frame_average_precision(frames: Sequence[ScoredFrame], actions: int) -> Floats:
    """``[C]``: average precision of each action, 0 to 1; NaN for an action that occurs in no frame."""
    scores: list[list[float]] = [[] for _ in range(actions)]
    hits: list[list[bool]] = [[] for _ in range(actions)]
    total = np.zeros(actions, dtype=np.int64)
    for frame in frames:
        for person in frame.people:
            np.add.at(total, list(person.actions), 1)
        for action, (own, right) in _matched(frame).items():
            scores[action] += own
            hits[action] += right
    return np.array([average_precision(scores[action], hits[action], int(total[action])) for action in range(actions)])


def _matched(frame: ScoredFrame) -> dict[int, tuple[list[float], list[bool]]]:
    """By action, the scores of the pairs that count, in descending order, and whether each is right."""
    count = frame.score.shape[1] if frame.score.size else 0
    found: dict[int, tuple[list[float], list[bool]]] = {}
    taken: set[tuple[int, int]] = set()
    true = {
        action: np.array([person.box for person in frame.people for own in person.actions if own == action])
        for action in {own for person in frame.people for own in person.actions}
    }
    for pair in np.argsort(-frame.score.ravel(), kind="stable")[:MOST_PAIRS].tolist():
        box, action = divmod(pair, count)
        own, right = found.setdefault(action, ([], []))
        own.append(float(frame.score[box, action]))
        right.append(False)
        if action in true:
            overlaps = overlap(frame.box[box], true[action])
            best = int(overlaps.argmax())
            right[-1] = bool(overlaps[best] >= LEAST_OVERLAP) and (action, best) not in taken
            taken |= {(action, best)} if right[-1] else set()
    return found


def overlap(box: Floats, others: Floats) -> Floats:
    """``[4]`` and ``[N, 4]`` to ``[N]``: area of the intersection by that of the union."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return np.asarray(shared / (areas - shared), dtype=np.float64)


def average_precision(scores: Sequence[float], hits: Sequence[bool], total: int) -> float:
    """The area under the precision-recall curve, with the precision at each recall the largest at this or a larger one.

    Args:
        scores: of detections in any order. hits: whether each is right.
        total: number of true boxes; for 0 the result is NaN.
    """
    if total == 0:
        return float("nan")
    right = np.asarray(hits, dtype=np.float64)[np.argsort(np.asarray(scores, dtype=np.float64), kind="stable")[::-1]]
    found = right.cumsum()
    recall = np.concatenate([[0.0], found / total, [1.0]])
    precision = np.concatenate([[0.0], found / np.arange(1, len(right) + 1), [0.0]])
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(((recall[1:] - recall[:-1]) * falling[1:]).sum())
