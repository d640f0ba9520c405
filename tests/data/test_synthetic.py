"""The `synthetic` catalog: what one frame tells (nothing), what the motion tells (all), and rendering by several."""

from __future__ import annotations

import csv
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import binomtest

from raysl.config.component import find
from raysl.data.catalogs import synthetic
from raysl.data.catalogs.synthetic import SyntheticOptions, SyntheticReader, order_of
from raysl.data.rendering.encode import write_mp4
from raysl.data.rendering.motions import MOTIONS, displacement
from raysl.data.rendering.scene import SceneShape, render
from raysl.errors import ConfigError, DataError
from raysl.streams import stream

from .motion_probes import OneFrame, decoded, one_frame, one_frame_predictions, oracle

TINY = SyntheticOptions(classes=3, train_per_class=2, test_per_class=1, frames=4, height=16, width=20)
SHAPE = SceneShape(height=32, width=40, sprites=8, sprite_radius=3.5, life=24)
RADIUS = 0.08


def path_of(motion: str, *, frames: int = 60, speed: float = 1.0) -> NDArray[np.float64]:
    return displacement(motion, frames=frames, speed=speed, radius=2.5, phase=0.3)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# What is drawn


@pytest.mark.parametrize("motion", MOTIONS)
def test_all_motions_have_the_same_speed(motion: str) -> None:
    steps = np.hypot(*np.diff(path_of(motion, speed=0.5), axis=0).T)
    # A circle's step is a chord, and a shake's step is shorter where it turns within a frame.
    assert np.median(steps) == pytest.approx(0.5, rel=0.01)
    assert steps.max() <= 0.5 + 1e-9


def test_motions_go_where_their_names_say() -> None:
    ends = {motion: path_of(motion, frames=5)[-1] for motion in ("right", "left", "down", "up")}
    assert {name: tuple(end) for name, end in ends.items()} == {
        "right": (0, 4),
        "left": (0, -4),
        "down": (4, 0),
        "up": (-4, 0),
    }
    for motion, sign in (("clockwise", 1), ("anticlockwise", -1)):
        (y0, x0), (y1, x1) = np.diff(path_of(motion, frames=3), axis=0)
        assert np.sign(x0 * y1 - y0 * x1) == sign, "y points down, so clockwise turns from x towards y"
    assert np.ptp(path_of("horizontal_shake"), axis=0) == pytest.approx([0, np.pi * 2.5], abs=1)
    assert np.ptp(path_of("vertical_shake"), axis=0) == pytest.approx([np.pi * 2.5, 0], abs=1)


def test_the_first_frame_is_the_same_whatever_the_motion() -> None:
    firsts = [render(stream("a scene"), SHAPE, path_of(motion, frames=5)) for motion in MOTIONS]
    for frames in firsts[1:]:
        np.testing.assert_array_equal(frames[0], firsts[0][0])
        assert (frames[4] != firsts[0][4]).any()


def test_every_frame_is_a_first_frame_carried_on() -> None:
    """Carrying all sprites by one displacement at every frame only shifts them on the torus, so the law stays."""
    still = np.zeros((1, 2))
    far = np.array([[32.0 * 3, -40.0 * 5]])
    np.testing.assert_array_equal(
        render(stream("a scene"), SHAPE, still), render(stream("a scene"), SHAPE, far), "whole turns change nothing"
    )


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["right", "up", "clockwise"])
def test_sprites_are_everywhere_alike(motion: str) -> None:
    """The share of pixels that sprites cover is the same in all rows and columns, early and late, for all motions."""
    path = path_of(motion, frames=30)[[0, -1]]
    covered = np.zeros((2, 32, 40))
    for number in range(300):
        # The same draws with and without sprites: what differs is sprite.
        bare = render(stream("everywhere", number), SceneShape(32, 40, 0, 3.5, 24), path)
        full = render(stream("everywhere", number), SHAPE, path)
        covered += (full != bare).any(axis=-1)
    quarters = covered.reshape(2, 4, 8, 4, 10).mean(axis=(2, 4)) / 300
    assert np.ptp(quarters) < 0.14
    assert quarters.mean() > 0.2


def test_there_is_an_up_and_an_arrow_of_time() -> None:
    rises, falls, above, below = [], [], [], []
    for number in range(20):
        frames = render(stream("arrow", number), SHAPE, np.zeros((60, 2))).astype(np.float64)
        change = np.abs(np.diff(frames.mean(axis=-1), axis=0)).max(axis=(1, 2))
        bare = np.median(frames, axis=0)
        distance = np.abs(frames - bare).sum(axis=(1, 2, 3))
        steps = np.diff(distance)
        rises.append(steps.max())
        falls.append(-steps.min())
        above.append(bare[:8].mean())
        below.append(bare[-8:].mean())
        assert change.max() > 3 * np.median(change), "sprites appear at once and fade slowly"
    assert np.mean(rises) > 2 * np.mean(falls)
    assert all(top > bottom + 40 for top, bottom in zip(above, below, strict=True))


# What one frame and the motion tell


@pytest.mark.slow
def test_one_frame_tells_nothing_and_the_motion_tells_all(tmp_path: Path) -> None:
    options = SyntheticOptions(classes=8, train_per_class=32, test_per_class=64, frames=14, height=32, width=40)
    reader = SyntheticReader(options)
    reader.prepare(tmp_path)
    catalog = reader.read(tmp_path)
    seen: dict[str, list[OneFrame]] = {"train": [], "test": []}
    found = []
    for video in catalog.videos:
        frames = decoded(tmp_path / video.path)
        time = int(stream("one frame", video.index).integers(len(frames)))
        seen[video.split].append(one_frame(frames, time))
        if video.split == "test":
            motion = oracle(frames, MOTIONS, speed=options.speed * options.height, radius=RADIUS * options.height)
            found.append(MOTIONS.index(motion))
    labels = {split: np.array([video.label for video in catalog.split(split)]) for split in seen}
    assert len(found) == 512
    assert np.mean(found == labels["test"]) > 0.9
    predictions = one_frame_predictions(seen["train"], labels["train"], seen["test"])
    for name, predicted in predictions.items():
        right = int((predicted == labels["test"]).sum())
        interval = binomtest(right, len(predicted)).proportion_ci(0.95)
        assert interval.low <= 1 / 8 <= interval.high, f"{name}: {right} of {len(predicted)}"


@pytest.mark.slow
def test_the_one_frame_probe_would_find_a_leak() -> None:
    """The same probes read a class from one frame where it shows there: sprites kept from the upper half, or not."""
    seen, labels = [], []
    for number in range(400):
        frame = render(stream("leak", number), SHAPE, np.zeros((1, 2)))[0]
        label = number % 2
        if label:
            frame[:16] = render(stream("leak", number), SceneShape(32, 40, 0, 3.5, 24), np.zeros((1, 2)))[0, :16]
        seen.append(one_frame(frame[None], 0))
        labels.append(label)
    y = np.array(labels)
    for name, predicted in one_frame_predictions(seen[:200], y[:200], seen[200:]).items():
        right = int((predicted == y[200:]).sum())
        assert binomtest(right, 200).proportion_ci(0.95).low > 0.5, name


# Files


def test_videos_are_as_the_options_say(tmp_path: Path) -> None:
    reader = SyntheticReader(TINY)
    reader.prepare(tmp_path)
    catalog = reader.read(tmp_path)
    assert catalog.classes == ("right", "left", "down")
    assert [len(catalog.split(split)) for split in ("train", "test")] == [6, 3]
    assert decoded(tmp_path / catalog.videos[0].path).shape == (4, 16, 20, 3)
    with (tmp_path / reader.folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"{reader.folder}/{row['path']}" for row in rows] == [video.path for video in catalog.videos]
    assert [int(row["label"]) for row in rows] == [video.label for video in catalog.videos]
    assert {float(row["pixels_per_frame"]) for row in rows} == {0.03 * 16}


def test_encoding_keeps_the_pixels(tmp_path: Path) -> None:
    reader = SyntheticReader(SyntheticOptions(classes=2, train_per_class=1, test_per_class=1, frames=8))
    reader.prepare(tmp_path)
    video = reader.read(tmp_path).videos[0]
    item = next(reader._items())
    difference = decoded(tmp_path / video.path).astype(int) - reader._frames(item).astype(int)
    assert np.abs(difference).mean() < 4


def test_a_decoded_frame_depends_on_that_frame_alone(tmp_path: Path) -> None:
    """So what no frame tells before it is encoded, none tells after: played backwards, every frame is the same."""
    frames = render(stream("a scene"), SHAPE, path_of("left", frames=20))
    for name, order in (("forwards", frames), ("backwards", frames[::-1])):
        write_mp4(tmp_path / f"{name}.mp4", order, 25)
    np.testing.assert_array_equal(decoded(tmp_path / "forwards.mp4"), decoded(tmp_path / "backwards.mp4")[::-1])


def test_other_options_are_another_folder_and_other_videos(tmp_path: Path) -> None:
    other = SyntheticReader(TINY.model_copy(update={"render_seed": 1}))
    for reader in (SyntheticReader(TINY), other):
        reader.prepare(tmp_path)
    assert SyntheticReader(TINY).folder != other.folder
    first, second = (contents(tmp_path / reader.folder) for reader in (SyntheticReader(TINY), other))
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def _prepare(root: Path) -> None:
    SyntheticReader(TINY).prepare(root)


@pytest.mark.slow
def test_several_processes_render_the_files_that_one_renders(tmp_path: Path) -> None:
    _prepare(tmp_path / "one")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_prepare, args=(tmp_path / "two",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 2
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    with synthetic._helped(2, TINY, tmp_path / "three"):
        pass  # what they do alone
    assert contents(tmp_path / "three") == contents(tmp_path / "one")


def test_only_what_is_absent_is_rendered(tmp_path: Path) -> None:
    reader = SyntheticReader(TINY)
    reader.prepare(tmp_path)
    before = contents(tmp_path)
    files = sorted((tmp_path / reader.folder).rglob("*.mp4"))
    times = {file: file.stat().st_mtime_ns for file in files[1:]}
    files[0].unlink()
    with pytest.raises(DataError, match=r"1 of 9 videos are not rendered below .*render them first"):
        reader.read(tmp_path)
    reader.prepare(tmp_path)
    assert contents(tmp_path) == before
    assert {file: file.stat().st_mtime_ns for file in files[1:]} == times


def test_a_root_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises(DataError, match=r"cannot write below .*a file"):
        SyntheticReader(TINY).prepare(file)


@pytest.mark.parametrize(
    "options", [{"classes": 1}, {"classes": 9}, {"height": 33}, {"speed": 0}, {"frames": 1}, {"train_per_class": 0}]
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SyntheticOptions(**options)


def test_variants() -> None:
    variant = find("data set", "synthetic").variant
    assert variant is not None
    small, large = (SyntheticOptions(**variant(name)) for name in ("small", "large"))
    assert small == SyntheticOptions()
    assert large.train_per_class * large.classes == 4000
    with pytest.raises(ConfigError, match="did you mean 'large'"):
        variant("larg")


@pytest.mark.parametrize("processes", [2, 5])
def test_processes_that_render_together_seldom_render_the_same_video(processes: int) -> None:
    """They take turns here, each with the next video of its order that nobody has finished."""
    for first in range(30_000, 30_400, 7):
        orders = [iter(order_of(first + 389 * number, 360)) for number in range(processes)]
        done, rendered = set[int](), 0
        while len(done) < 360:
            under_work = [next((video for video in order if video not in done), None) for order in orders]
            rendered += sum(video is not None for video in under_work)
            done.update(video for video in under_work if video is not None)
        assert rendered < 1.1 * 360
