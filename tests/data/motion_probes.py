"""Classifiers of the synthetic videos: some that see a single frame, and an oracle on the true motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from raysl.data.decode_pyav import SequentialReader
from raysl.data.rendering.motions import displacement

Floats = NDArray[np.float64]


def decoded(file: Path) -> NDArray[np.uint8]:
    """The frames of a file: ``[T, H, W, 3]`` uint8 RGB."""
    with SequentialReader(file) as reader:
        return np.stack([frame.pixels() for frame in reader])


@dataclass(frozen=True)
class OneFrame:
    """What the probes see of one frame.

    Attributes:
        pixels: every second pixel in each direction, in [0, 1]: ``[D]``.
        traces: autocorrelations of the frame's faint fine detail, where an encoder leaves what has moved: ``[D]``.
    """

    pixels: Floats
    traces: Floats


def one_frame(frames: NDArray[np.uint8], time: int) -> OneFrame:
    """One frame of ``[T, H, W, 3]`` uint8."""
    frame = frames[time].astype(np.float64)
    grey = frame.mean(axis=-1)
    around = sum(np.roll(grey, step, axis) for step in (-1, 1) for axis in (0, 1)) / 4
    detail = np.clip(grey - around, -6, 6)
    once, squared = (np.fft.fft2(plane, [2 * side for side in grey.shape]) for plane in (detail, detail**2))
    planes = [np.fft.ifft2(spectrum * once.conj()).real for spectrum in (once, squared)]
    near = [np.roll(plane, (6, 6), (0, 1))[:13, :13].ravel() for plane in planes]
    return OneFrame(frame[::2, ::2].ravel() / 255, np.concatenate(near) / planes[0][0, 0])


def one_frame_predictions(
    train: Sequence[OneFrame], labels: NDArray[np.int64], test: Sequence[OneFrame]
) -> dict[str, NDArray[np.int64]]:
    """Test labels by three probes, each fitted on one frame of every training video."""
    probes = {
        "linear": ("pixels", PCA(100, random_state=0), LogisticRegression(C=0.01, max_iter=500)),
        "neighbours": ("pixels", PCA(30, random_state=0), KNeighborsClassifier(9)),
        "traces": ("traces", LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)),
    }
    predictions = {}
    for name, (seen, *steps) in probes.items():
        x, y = (np.stack([getattr(frame, seen) for frame in frames]) for frames in (train, test))
        predictions[name] = make_pipeline(StandardScaler(), *steps).fit(x, labels).predict(y)
    return predictions


def oracle(frames: NDArray[np.uint8], motions: Sequence[str], *, speed: float, radius: float) -> str:
    """The motion whose path, at its best phase, explains the frames best.

    What moves (a frame less the video's median) is correlated with itself two frames later, on the torus; the score
    of a path is the mean correlation at the displacements that it says.

    Args:
        frames: ``[T, H, W, 3]``.
        motions: to choose from.
        speed, radius: of the true motions, in pixels a frame and pixels.
    """
    moving = frames.astype(np.float64).mean(axis=-1)
    moving = moving - np.median(moving, axis=0)
    spectra = np.fft.fft2(moving)
    # The peak of the correlation of frames t and t + 2 lies where the sprites went in between.
    correlation = np.fft.ifft2(spectra[2:] * spectra[:-2].conj()).real
    correlation /= np.abs(correlation).max(axis=(1, 2), keepdims=True) + 1e-9
    paths = {
        (name, turn): _steps(name, len(frames), speed, radius, turn / 16) for name in motions for turn in range(16)
    }
    rows, columns = np.moveaxis(np.stack(list(paths.values())), -1, 0)
    _, height, width = correlation.shape
    scores = correlation[np.arange(len(frames) - 2), rows % height, columns % width].mean(axis=1)
    return list(paths)[int(scores.argmax())][0]


@cache
def _steps(motion: str, frames: int, speed: float, radius: float, phase: float) -> NDArray[np.int64]:
    """Whole pixels that a motion goes in two frames: ``[T - 2, 2]``."""
    path = displacement(motion, frames=frames, speed=speed, radius=radius, phase=phase)
    return np.rint(path[2:] - path[:-2]).astype(np.int64)
