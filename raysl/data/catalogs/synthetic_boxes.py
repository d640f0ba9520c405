"""Rendered films in AVA's layout: coloured shapes that move, each with a box and its actions.

Every film has a noisy ground on which shapes move on straight lines; a shape's actions are its direction (``right``,
``left``, ``still``), which a single frame does not show, and ``striped``, which one does: a shape has one action or
two. Each second has an annotated frame. A detector is simulated: its boxes are the true ones,
moved a little, with scores; some shapes are missed, and some boxes have no shape.

The files are AVA's (`raysl.data.catalogs.ava`): the lists, and films that begin at second 0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, Options, option
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs.ava import CLASSES, DETECTED, AVAOptions, annotated_catalog, read_lists
from raysl.data.rendering.encode import write_mp4
from raysl.data.shared_folder import give_rights, make_folder
from raysl.errors import DataError
from raysl.streams import stream

_VERSION = 1
STEPS = {"right": 1, "left": -1, "still": 0}
"""From an action to the direction of the shape."""
ACTIONS = (*STEPS, "striped")
"""Actions in the order of their ids, from 1."""
_SPEED, _MISSED, _MOVED = 0.06, 0.1, 0.03
_COLOURS = np.array([[250, 80, 80], [80, 230, 90], [90, 110, 250], [240, 230, 80]], dtype=np.uint8)


class SyntheticBoxesOptions(Options):
    """What is rendered."""

    train: int = option(12, doc="films for training", unit="films", source="ours", ge=1, le=10_000)
    test: int = option(6, doc="films for testing", unit="films", source="ours", ge=1, le=10_000)
    seconds: int = option(4, doc="length of a film", unit="s", source="ours", ge=2, le=1000)
    rate: int = option(8, doc="frames a second", unit="1/s", source="ours", ge=2, le=60)
    height: int = option(48, doc="height of a frame", unit="pixels", source="ours", ge=16, le=1080, multiple_of=2)
    width: int = option(64, doc="width of a frame", unit="pixels", source="ours", ge=16, le=1920, multiple_of=2)
    shapes: int = option(2, doc="shapes of a film", unit="shapes", source="ours", ge=1, le=8)
    render_seed: int = option(0, doc="seed of all films", unit=NO_UNIT, source="ours", ge=0, le=2**31 - 1)


@dataclass(frozen=True)
class Shape:
    """A shape of a film; lengths in shares of the frame.

    Attributes:
        place: (x, y) of its centre in the film's middle.
        size: its width and height.
    """

    place: tuple[float, float]
    size: tuple[float, float]
    action: str
    is_striped: bool
    colour: int

    def box(self, share: float, seconds: float) -> tuple[float, float, float, float] | None:
        """(left, top, right, bottom) at this share of the film's length, cut at the frame; None: outside."""
        x = self.place[0] + STEPS[self.action] * _SPEED * seconds * (share - 0.5) * 4
        left, right = max(0.0, x - self.size[0] / 2), min(1.0, x + self.size[0] / 2)
        if right - left < 0.05:
            return None
        return left, self.place[1] - self.size[1] / 2, right, self.place[1] + self.size[1] / 2

    @property
    def actions(self) -> tuple[int, ...]:
        """Its actions' ids in the list."""
        return (ACTIONS.index(self.action) + 1, *((len(ACTIONS),) if self.is_striped else ()))


class SyntheticBoxesReader(CatalogReader):
    """Renders absent films, and reads them; the files of each set of options are in a separate folder."""

    needs_root = False

    def __init__(self, options: SyntheticBoxesOptions) -> None:
        self.options = options

    @property
    def folder(self) -> str:
        """Folder below the root, named by a hash of the options and of the renderer's version."""
        key = f"{_VERSION}\n{self.options.model_dump_json()}"
        return f"synthetic-boxes-{blake2b(key.encode(), digest_size=5).hexdigest()}"

    def read(self, root: Path) -> Catalog:
        folder = root / self.folder
        if not (folder / CLASSES).is_file():
            raise DataError(f"synthetic_boxes: films are not rendered below {folder}; render them first (`prepare`)")
        lists = read_lists(folder, "synthetic_boxes", "remove the folder, and it is rendered again")
        found = annotated_catalog(folder, lists, ("videos",), AVAOptions())
        videos = tuple(Video(video.index, f"{self.folder}/{video.path}", None, video.split) for video in found.videos)
        return Catalog(
            found.name, found.classes, videos, notes=found.notes, folder=self.folder, annotated=found.annotated
        )

    def recording(self, video: Video) -> str | None:
        """Every film is drawn separately."""
        return video.path

    def prepare(self, root: Path) -> None:
        """Renders the absent films, each written completely or not at all, and then the lists.

        Raises:
            DataError: a file cannot be written.
        """
        folder = root / self.folder
        try:
            make_folder(folder / "videos", root)
            for name, _ in self._films():
                file = folder / "videos" / f"{name}.mp4"
                if not file.is_file():
                    write_mp4(file, self.frames(name), self.options.rate)
                    give_rights(file, root, of_files=0o644)
            self._write_lists(folder, root)
        except OSError as error:
            raise DataError(
                f"synthetic_boxes: cannot write below {root} ({error}); give another folder with --cache or --root, or "
                "free space"
            ) from error

    def listed(self, root: Path) -> Catalog:
        """As `read`, for films that need not exist."""
        with tempfile.TemporaryDirectory(prefix="raysl-boxes-") as place:
            folder = Path(place) / self.folder
            (folder / "videos").mkdir(parents=True)
            for name, _ in self._films():
                (folder / "videos" / f"{name}.mp4").touch()
            self._write_lists(folder, folder)
            return self.read(Path(place))

    def _write_lists(self, folder: Path, root: Path) -> None:
        for list_name, text in self._lists().items():
            if not (folder / list_name).is_file():
                partial = folder / f".{list_name}.{uuid4().hex}.partial"
                partial.write_text(text, encoding="utf-8")
                give_rights(partial, root, of_files=0o644)
                partial.replace(folder / list_name)

    def _films(self) -> Iterator[tuple[str, str]]:
        """Name and official split of each film."""
        for split, count in (("train", self.options.train), ("val", self.options.test)):
            for number in range(count):
                yield f"{split}{number:05d}", split

    def shapes(self, name: str) -> list[Shape]:
        """The shapes of a film, one below the other, the last one in front."""
        draw, count = stream("synthetic boxes", self.options.render_seed, name, "shapes"), self.options.shapes
        found = []
        for row in range(count):
            size = tuple(draw.uniform(0.6, 0.9, size=2) * (0.4, 0.8 / count))
            place = (draw.uniform(0.25, 0.75), (row + 0.5) / count)
            action = list(STEPS)[int(draw.integers(len(STEPS)))]
            colour, striped = int(draw.integers(len(_COLOURS))), bool(draw.random() < 0.5)
            found.append(Shape(place, (float(size[0]), float(size[1])), action, striped, colour))
        return found

    def frames(self, name: str) -> NDArray[np.uint8]:
        """The film, ``[T, H, W, 3]`` uint8 RGB."""
        o = self.options
        draw, length = stream("synthetic boxes", o.render_seed, name, "ground"), o.seconds * o.rate
        ground = draw.integers(0, 90, (o.height // 4 + 1, o.width // 4 + 1, 3), dtype=np.uint8)
        still = ground.repeat(4, axis=0).repeat(4, axis=1)[: o.height, : o.width]
        film = np.repeat(still[None], length, axis=0)
        for shape in self.shapes(name):
            for time in range(length):
                box = shape.box(time / length, o.seconds)
                if box is not None:
                    left, top, right, bottom = (round(v * s) for v, s in zip(box, (o.width, o.height) * 2, strict=True))
                    film[time, top:bottom, left:right] = _COLOURS[shape.colour]
                    if shape.is_striped:
                        film[time, top:bottom:4, left:right] = 20
                        film[time, top + 1 : bottom : 4, left:right] = 20
        return film

    def _lists(self) -> dict[str, str]:
        """From name to content; the list of actions last, as the mark that all is there."""
        people: dict[str, list[str]] = {"train": [], "val": []}
        detected: list[str] = []
        for name, split in self._films():
            draw = stream("synthetic boxes", self.options.render_seed, name, "detector")
            for second in range(1, self.options.seconds):
                for person, shape in enumerate(self.shapes(name)):
                    box = shape.box(second / self.options.seconds, self.options.seconds)
                    moved, score, lost = draw.normal(0, _MOVED, size=4), draw.uniform(0.9, 1.0), draw.random()
                    if box is None:
                        continue
                    at = f"{name},{second:04d}"
                    people[split] += [f"{at},{_text(box)},{action},{person}" for action in shape.actions]
                    near = np.clip(np.array(box) + moved * (box[2] - box[0]), 0, 1)
                    if split == "val" and lost >= _MISSED:
                        detected.append(f"{at},{_text(near)},,{score:.6f}")
                if split == "val" and draw.random() < _MISSED:
                    detected.append(f"{name},{second:04d},0.000,0.000,0.200,0.200,,0.910000")
        items = "".join(f'item {{\n  name: "{name}"\n  id: {id_}\n}}\n' for id_, name in enumerate(ACTIONS, start=1))
        lists = {f"ava_{split}_v2.2.csv": "".join(f"{row}\n" for row in rows) for split, rows in people.items()}
        lists |= {f"ava_{split}_excluded_timestamps_v2.2.csv": "" for split in people}
        return lists | {DETECTED[0]: "".join(f"{row}\n" for row in detected), CLASSES: items}


def _text(box: tuple[float, ...] | NDArray[np.float64]) -> str:
    return ",".join(f"{value:.3f}" for value in box)


COMPONENT = Component(
    kind="data set",
    options=SyntheticBoxesOptions,
    build=SyntheticBoxesReader,
    version=_VERSION,
    labelled=lambda options: False,
    boxes=True,
)
