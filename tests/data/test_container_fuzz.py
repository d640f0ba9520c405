"""Containers that something went wrong with: right frames, or a refusal with a reason; no crash, no hang."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from av.stream import Disposition

from raysl.data.catalog import Catalog
from raysl.data.decode import decode_all
from raysl.data.decode_agreement import digest
from raysl.data.decode_pyav import VideoError
from raysl.data.manifest import build_manifest
from tests.data.rendered import catalog_of, moving_square, set_matrix, write_streams, write_video

FILES = 330
BOX = re.compile(
    rb"moov|trak|mdia|minf|stbl|stts|stsc|stsz|stco|ctts|stss|tkhd|mdhd|hdlr|vmhd|dinf|edts|elst|mvhd|stsd"
)
Change = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 8, 64))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def flip_a_header(content: bytes, draw: random.Random) -> bytes:
    """Bits near a box's name, where an MP4 has any."""
    places = [found.start() for found in BOX.finditer(content)] or [0]
    changed = bytearray(content)
    at = min(draw.choice(places) + draw.randrange(-4, 24), len(changed) - 1)
    changed[max(at, 0)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def swap_boxes(content: bytes, draw: random.Random) -> bytes:
    """The names of two boxes change places; of other containers, two pieces of eight bytes."""
    places = [found.start() for found in BOX.finditer(content)]
    if len(places) < 2:
        places = [draw.randrange(max(len(content) - 8, 1)) for _ in range(2)]
    one, other = sorted(draw.sample(places, 2)) if len(set(places)) > 1 else (0, 4)
    changed = bytearray(content)
    changed[one : one + 4], changed[other : other + 4] = content[other : other + 4], content[one : one + 4]
    return bytes(changed)


def move_atoms(content: bytes, draw: random.Random) -> bytes:
    """Top-level boxes in another order, or one of them twice or not at all: offsets into them are wrong then."""
    boxes, at = [], 0
    while at + 8 <= len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        if size < 8:
            break
        boxes.append(content[at : at + size])
        at += size
    if len(boxes) < 2:
        return flip(content, draw)
    chosen = draw.randrange(len(boxes))
    kind = draw.choice(("shuffle", "twice", "without"))
    if kind == "shuffle":
        draw.shuffle(boxes)
    else:
        boxes[chosen : chosen + 1] = [boxes[chosen]] * (2 if kind == "twice" else 0)
    return b"".join(boxes)


def wild_matrix(content: bytes, draw: random.Random) -> bytes:
    at = content.find(b"tkhd")
    if at < 0:
        return flip(content, draw)
    values = [draw.choice((0, 65536, -65536, 46341, draw.randrange(-(2**31), 2**31))) for _ in range(9)]
    return content[: at + 44] + struct.pack(">9i", *values) + content[at + 80 :]


CHANGES: tuple[Change, ...] = (cut, flip, flip_a_header, swap_boxes, move_atoms, wild_matrix)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("originals")
    film, picture = moving_square(24, 48, 64), moving_square(1, 64, 64, seed=5)
    default, none = Disposition.default, Disposition(0)
    return [
        write_video(folder / "plain.mp4", film),
        set_matrix(write_video(folder / "mirrored.mp4", film), -1, 0, 0, 1),
        write_streams(folder / "cover.mov", [(picture, "png", none), (film, "libx264", default)]),
        write_streams(
            folder / "preview.mkv", [(moving_square(6, 24, 32), "libx264", none), (film, "libx264", default)]
        ),
        write_video(folder / "plain.avi", film, codec="mpeg4"),
        write_video(folder / "stream.ts", film, bf="0"),
        write_video(folder / "plain.mpg", film, codec="mpeg2video"),
    ]


def spoilt(originals: list[Path], root: Path) -> Iterator[tuple[Path, Path, Change]]:
    """Original, copy and what was done to it; the same every time."""
    draw = random.Random(13)
    for number in range(FILES):
        original = originals[number % len(originals)]
        change = CHANGES[number // len(originals) % len(CHANGES)]
        copy = root / f"{number:03d} {change.__name__}{original.suffix}"
        copy.write_bytes(change(original.read_bytes(), draw))
        yield original, copy, change


@pytest.mark.slow
def test_containers_that_something_went_wrong_with(originals: list[Path], tmp_path: Path) -> None:
    """Read as a data set is, in processes that a decoder may take with it."""
    root = tmp_path / "set"
    root.mkdir()
    truth = {path: [digest(frame) for frame in decode_all(path)] for path in originals}
    made = list(spoilt(originals, root))
    catalog: Catalog = catalog_of([copy.name for _, copy, _ in made])
    manifest = build_manifest(catalog, root, folder=tmp_path / "manifests", processes=2)
    assert len(manifest.rows) == FILES
    crashed = [row.path for row in manifest.rows if row.error == "the decoder crashes on it"]
    assert not crashed
    for (original, copy, change), row in zip(made, manifest.rows, strict=True):
        assert row.error is None or (row.frames == 0 and row.error and str(root) not in row.error)
        if row.error is None:
            found = [digest(frame) for frame in decode_all(copy)]
            assert len(found) == row.frames > 0, copy.name
            if change is cut:
                # The packet that is cut in two may give a frame all the same, which no decoder has to call damaged.
                whole = found[: row.frames - max(row.damaged, 1)]
                assert whole == truth[original][: len(whole)], copy.name
        else:
            with pytest.raises(VideoError):
                list(decode_all(copy))
    readable = sum(row.error is None for row in manifest.rows)
    assert 50 < readable < FILES - 50, "neither all of them nor none"
