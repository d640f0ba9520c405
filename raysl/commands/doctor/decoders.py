"""The decoders: a small video is rendered, and each has to give back what was drawn."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raysl.commands.doctor.finding import DoctorOptions, Finding, first_line
from raysl.machine import temporary_folder

FRAMES, SIDE = 12, 64
NEAR = 12.0
"""Mean absolute difference of pixel values, 0 to 255, that H.264 at the quality of rendered videos stays below."""


def decoders(_: DoctorOptions) -> Iterator[Finding]:
    """PyAV, which decides what frame i is, decord, which is faster far from a video's start, and torchcodec, which may
    be installed too, and is faster still."""
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as folder:
        video, drawn = Path(folder) / "drawn.mp4", _drawn()
        decoded = yield from _pyav(video, drawn)
        yield from _decord(video, decoded)
        yield from _torchcodec(video, decoded)


def _pyav(video: Path, drawn: NDArray[np.uint8]) -> Generator[Finding, None, NDArray[np.uint8] | None]:
    """Yields its line; returns what it decoded, None where nothing was."""
    try:
        import av

        from raysl.data.decode_pyav import read
        from raysl.data.rendering.encode import write_mp4
    except (ImportError, OSError) as error:
        yield _not_imported("PyAV", "av", error)
        return None
    values = {"version": av.__version__, "libraries": {name: list(one) for name, one in av.library_versions.items()}}
    try:
        write_mp4(video, drawn, 25)
    except (av.FFmpegError, ValueError) as error:
        advice = "install av from a wheel: pip install --only-binary :all: av"
        yield Finding("PyAV", "failed", f"{av.__version__} cannot encode H.264: {error}", advice, values)
        return None
    decoded = read(video, list(range(FRAMES)))
    off = float(np.abs(decoded.astype(np.float64) - drawn).mean())
    if decoded.shape != drawn.shape or off > NEAR:
        text = f"{av.__version__}: frames {decoded.shape}, {off:.1f} of 255 from what was drawn"
        yield Finding("PyAV", "failed", text, "install av anew", values)
        return None
    yield Finding("PyAV", "ok", f"{av.__version__}: encodes and decodes H.264", values=values)
    return decoded


def _decord(video: Path, decoded: NDArray[np.uint8] | None) -> Iterator[Finding]:
    if find_spec("decord") is None:
        advice = "pip install decord==0.6.0, where it has a wheel: on Linux, x86-64"
        yield Finding("decord", "warning", "not installed: PyAV decodes every video, which is slower", advice)
        return
    try:
        import decord
    except (ImportError, OSError) as error:
        yield _not_imported("decord", "decord==0.6.0", error)
        return
    values = {"version": decord.__version__}
    if decoded is None:
        yield Finding("decord", "warning", f"{decord.__version__}: not tried, since no video was made", "", values)
        return
    from raysl.data import decode_decord

    if np.array_equal(decode_decord.read(video, list(range(FRAMES))), decoded):
        yield Finding("decord", "ok", f"{decord.__version__}: gives the frames that PyAV gives", values=values)
        return
    text = f"{decord.__version__}: gives other frames than PyAV"
    yield Finding("decord", "warning", text, "PyAV is used where they differ, which is slower", values)


def _torchcodec(video: Path, decoded: NDArray[np.uint8] | None) -> Iterator[Finding]:
    """No line where it is not installed, since it is an extra, or where no video was made."""
    if decoded is None:
        return
    from raysl.data import decode_torchcodec

    why, versions = decode_torchcodec.why_absent(), decode_torchcodec.versions()
    if why and why != decode_torchcodec.NOT_INSTALLED:
        advice = (
            "install FFmpeg's shared libraries (apt-get install ffmpeg), and the torchcodec of this torch; until then "
        )
        yield Finding("torchcodec", "warning", why, f"{advice}decord or PyAV read every video")
    elif versions:
        same = np.array_equal(decode_torchcodec.read(video, list(range(FRAMES))), decoded)
        text = f"{versions}: gives {'the frames that' if same else 'other frames than'} PyAV{' gives' if same else ''}"
        advice = "" if same else "it is used where they do not differ"
        yield Finding("torchcodec", "ok" if same else "warning", text, advice, {"versions": versions})


def _not_imported(topic: str, package: str, error: Exception) -> Finding:
    return Finding(topic, "failed", f"cannot be imported: {first_line(error)}", f"pip install '{package}'")


def _drawn() -> NDArray[np.uint8]:
    """``[T, H, W, 3]``: a bright square that goes right over a dark ground."""
    frames = np.full((FRAMES, SIDE, SIDE, 3), 40, np.uint8)
    for number in range(FRAMES):
        frames[number, 16:48, 4 * number : 4 * number + 16] = 200
    return frames
