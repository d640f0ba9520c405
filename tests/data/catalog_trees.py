"""Folders for the catalogs' tests: catalogs read names, not pixels, so most of these files are empty."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

UCF_CLASSES = ("ApplyEyeMakeup", "Archery", "HandstandPushups")


def touch(root: Path, *paths: str) -> Path:
    """Makes empty files below ``root``, and returns it."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def class_tree(root: Path) -> Path:
    """Two classes of five and of two videos, in odd places, beside files that are no videos."""
    return touch(
        root,
        *(f"walk/v_{number}.avi" for number in range(4)),
        "walk/deep/er/v;[1] 'x'.MP4",
        "run/b.webm",
        "run/a.mkv",
        "run/notes.txt",
        "run/.hidden.mp4",
        ".cache/c.mp4",
        "README.md",
    )


def ucf_videos(groups: Iterable[int] = (1, 2, 8, 9)) -> list[str]:
    """Stems of a small UCF101: two clips of each group of each class, ``Class/v_Class_gGG_cCC``."""
    return [
        f"{name}/v_{'HandStandPushups' if name == 'HandstandPushups' else name}_g{group:02d}_c{clip:02d}"
        for name in UCF_CLASSES
        for group in groups
        for clip in (1, 2)
    ]


def ucf_lists(folder: Path, *, split: int = 1, newline: str = "\r\n") -> Path:
    """Writes the lists of a small UCF101 as the official ones are; groups 1 and 2 are for testing."""
    folder.mkdir(parents=True, exist_ok=True)
    tests = [f"{stem}.avi" for stem in ucf_videos((1, 2))]
    trains = [f"{stem}.avi {UCF_CLASSES.index(stem.split('/')[0]) + 1}" for stem in ucf_videos((8, 9))]
    write_lines(folder / "classInd.txt", [f"{i} {name}" for i, name in enumerate(UCF_CLASSES, 1)], newline)
    write_lines(folder / f"testlist{split:02d}.txt", tests, newline)
    write_lines(folder / f"trainlist{split:02d}.txt", trains, newline)
    return folder


def write_lines(file: Path, lines: list[str], newline: str = "\r\n") -> None:
    """Writes lines with the given line end, the last one's included."""
    file.write_bytes("".join(line + newline for line in lines).encode())


def ucf_tree(root: Path, *, suffix: str = ".mp4", prefix: str = "UCF-101/") -> Path:
    """A complete small UCF101 below ``root``."""
    ucf_lists(root / "ucfTrainTestlist")
    return touch(root, *(f"{prefix}{stem}{suffix}" for stem in ucf_videos()))
