"""Labelled videos rendered here; their classes differ only by motion (see `raysl.data.rendering.scene` for why).

Each video is keyed by (render seed, split, number): its scene is drawn independently of its class, so the same number
rendered as another class has the same first frame. Right and left are classes: a recipe on this set must not flip.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.rendering.encode import write_mp4
from raysl.data.rendering.motions import MOTIONS, displacement
from raysl.data.rendering.scene import SceneShape, render
from raysl.data.shared_folder import give_rights, make_folder
from raysl.errors import ConfigError, DataError
from raysl.machine import PROCESSES, ready_for_processes
from raysl.signals import leave_ending_to_parent
from raysl.streams import stream

_VERSION = 1
_SPRITE_RADIUS, _CIRCLE_RADIUS, _LIFE = 0.11, 0.08, 24
_HELPED = 5000
"""Frames to render, four seconds of work, from which on another process per CPU helps: it takes a second to start."""


class SyntheticOptions(Options):
    """What is rendered. Lengths are in heights of the frame, so that a set looks the same at every size."""

    classes: int = option(
        6, doc="number of motions: the first ones of `MOTIONS`", unit="classes", source="ours", ge=2, le=len(MOTIONS)
    )
    train_per_class: int = option(40, doc="training videos of a class", unit="videos", source="ours", ge=1, le=100_000)
    test_per_class: int = option(20, doc="test videos of a class", unit="videos", source="ours", ge=1, le=100_000)
    frames: int = option(40, doc="length of a video", unit="frames", source="ours", ge=2, le=10_000)
    rate: int = option(25, doc="frames a second", unit="1/s", source="ours: UCF101's", ge=1, le=120)
    height: int = option(64, doc="height of a frame", unit="pixels", source="ours", ge=16, le=1080, multiple_of=2)
    width: int = option(80, doc="width of a frame", unit="pixels", source="ours", ge=16, le=1920, multiple_of=2)
    sprites: int = option(8, doc="sprites visible at any time", unit="sprites", source="ours", ge=1, le=100)
    speed: float = option(
        0.03,
        doc="speed of every sprite at every frame, in all classes",
        unit="heights/frame",
        source="ours",
        gt=0,
        le=0.25,
    )
    render_seed: int = option(0, doc="seed of all scenes", unit=NO_UNIT, source="ours", ge=0, le=2**31 - 1)


@dataclass(frozen=True)
class _Item:
    """One video to render."""

    split: str
    number: int
    label: int
    phase: float

    @property
    def motion(self) -> str:
        return MOTIONS[self.label]

    @property
    def path(self) -> str:
        return f"{self.split}/{self.motion}/{self.number:06d}.mp4"


class SyntheticReader(CatalogReader):
    """Renders absent videos, and reads them; the files of each set of options are in a separate folder."""

    needs_root = False

    def __init__(self, options: SyntheticOptions) -> None:
        self.options = options

    @property
    def folder(self) -> str:
        """Folder below the root, named by a hash of the options and of the renderer's version."""
        key = f"{_VERSION}\n{self.options.model_dump_json()}"
        return f"synthetic-{blake2b(key.encode(), digest_size=5).hexdigest()}"

    def read(self, root: Path) -> Catalog:
        items = list(self._items())
        absent = [item for item in items if not (root / self.folder / item.path).is_file()]
        if absent:
            raise DataError(
                f"synthetic: {len(absent)} of {len(items)} videos are not rendered below {root / self.folder}, "
                f"e.g. {absent[0].path}; render them first (`SyntheticReader.prepare`)"
            )
        return self._catalog(items)

    def listed(self, root: Path) -> Catalog:
        return self._catalog(list(self._items()))

    def _catalog(self, items: list[_Item]) -> Catalog:
        videos = (Video(i, f"{self.folder}/{item.path}", item.label, item.split) for i, item in enumerate(items))
        return Catalog("synthetic", MOTIONS[: self.options.classes], tuple(videos), folder=self.folder)

    def recording(self, video: Video) -> str | None:
        """Every video is drawn separately."""
        return video.path

    def prepare(self, root: Path) -> None:
        """Renders the absent videos, each written completely or not at all, and then ``labels.csv``.

        The files get the rights of ``root``.

        Several processes may do so at once: before every video each checks whether another has rendered it. If there is
        much to do, this machine's other CPUs help.

        Raises:
            DataError: a file cannot be written.
        """
        absent = sum(not (root / self.folder / item.path).is_file() for item in self._items())
        helpers = len(os.sched_getaffinity(0)) - 1 if absent * self.options.frames >= _HELPED else 0
        try:
            with _helped(helpers, self.options, root):
                self.render_absent(root)
        except OSError as error:
            raise DataError(
                f"synthetic: cannot write below {root} ({error}); give another folder with --cache, RAYSL_CACHE or "
                "--root, free space, or have its owner let you write there"
            ) from error

    def render_absent(self, root: Path) -> None:
        """As `prepare`, in this process only.

        Raises:
            OSError: a file cannot be written.
        """
        folder = root / self.folder
        items = list(self._items())
        for position in order_of(os.getpid(), len(items)):
            item = items[position]
            file = folder / item.path
            if not file.is_file():
                make_folder(file.parent, root)
                write_mp4(file, self._frames(item), self.options.rate)
                give_rights(file, root, of_files=0o644)
        labels = folder / "labels.csv"
        if not labels.is_file():
            partial = labels.with_name(f".labels.csv.{uuid4().hex}.partial")
            partial.write_text(self._labels(items), encoding="utf-8")
            give_rights(partial, root, of_files=0o644)
            partial.replace(labels)

    def _items(self) -> Iterator[_Item]:
        options = self.options
        for split, per_class in (("train", options.train_per_class), ("test", options.test_per_class)):
            for number in range(per_class * options.classes):
                phase = float(stream("synthetic", options.render_seed, split, number, "phase").uniform())
                yield _Item(split, number, number % options.classes, phase)

    def _frames(self, item: _Item) -> Any:
        options = self.options
        path = displacement(
            item.motion,
            frames=options.frames,
            speed=options.speed * options.height,
            radius=_CIRCLE_RADIUS * options.height,
            phase=item.phase,
        )
        shape = SceneShape(options.height, options.width, options.sprites, _SPRITE_RADIUS * options.height, _LIFE)
        return render(stream("synthetic", options.render_seed, item.split, item.number, "scene"), shape, path)

    def _labels(self, items: list[_Item]) -> str:
        """The true motions as CSV: all arguments of ``displacement``, in pixels, frames and turns."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["path", "split", "label", "motion", "pixels_per_frame", "circle_radius", "phase"])
        speed, radius = self.options.speed * self.options.height, _CIRCLE_RADIUS * self.options.height
        for item in items:
            table.writerow([item.path, item.split, item.label, item.motion, f"{speed:g}", f"{radius:g}", item.phase])
        return text.getvalue()


def order_of(process: int, videos: int) -> list[int]:
    """The order in which a process renders, different for each process.

    Of two processes that go in the same direction from different starts, the one behind catches up with the files of
    the other, and from there on both would render the same videos at the same time.
    """
    order: list[int] = stream("synthetic", "order", process).permutation(videos).tolist()
    return order


@contextmanager
def _helped(helpers: int, options: SyntheticOptions, root: Path) -> Iterator[None]:
    """Other processes render meanwhile; videos that they leave, for whatever reason, are the caller's."""
    started: list[BaseProcess] = []
    try:
        if helpers > 0:
            ready_for_processes()
        for _ in range(helpers):
            # As `raysl.data.manifest_pool`, which decodes next, so that one server serves both.
            process = PROCESSES.Process(target=_help, args=(options, root))
            process.start()
            started.append(process)
        yield
    except BaseException:
        for helper in started:
            helper.terminate()
        raise
    finally:
        for helper in started:
            helper.join()


def _help(options: SyntheticOptions, root: Path) -> None:
    leave_ending_to_parent()
    with suppress(OSError):  # the process that is helped gets this error too
        SyntheticReader(options).render_absent(root)


_VARIANTS: dict[str, dict[str, Any]] = {
    "small": {"classes": 6, "train_per_class": 40, "test_per_class": 20, "frames": 40, "height": 64, "width": 80},
    "long": {"classes": 6, "train_per_class": 40, "test_per_class": 20, "frames": 64, "height": 64, "width": 80},
    "large": {"classes": 8, "train_per_class": 500, "test_per_class": 100, "frames": 96, "height": 128, "width": 160},
}


def _variant(name: str) -> dict[str, Any]:
    """``synthetic/small``: minutes on a laptop; ``long``: two clips seldom share a sprite; ``large``: for a GPU."""
    if name not in _VARIANTS:
        raise ConfigError(f"synthetic/{name}: there is no such variant{nearest(name, _VARIANTS)}")
    return _VARIANTS[name]


COMPONENT = Component(
    kind="data set", options=SyntheticOptions, build=SyntheticReader, version=_VERSION, variant=_variant
)
