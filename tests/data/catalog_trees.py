"""Folders for the catalogs' tests: catalogs read names, not pixels, so most of these files are empty."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from raysl.testing.data_set import touch

UCF_CLASSES = ("ApplyEyeMakeup", "Archery", "HandstandPushups")


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


def ucf_lists(
    folder: Path,
    *,
    split: int = 1,
    newline: str = "\r\n",
    test: Iterable[int] = (1, 2),
    train: Iterable[int] = (8, 9),
) -> Path:
    """Writes the lists of a small UCF101 as the official ones are, of these groups."""
    folder.mkdir(parents=True, exist_ok=True)
    tests = [f"{stem}.avi" for stem in ucf_videos(test)]
    trains = [f"{stem}.avi {UCF_CLASSES.index(stem.split('/')[0]) + 1}" for stem in ucf_videos(train)]
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


HMDB_CLASSES = ("brush_hair", "climb", "climb_stairs")


def hmdb_videos(class_name: str) -> dict[str, int]:
    """Clips of one class of a small HMDB51 with what split 1 says of them, names as odd as the real ones."""
    return {
        f"#1_A_(b)!_{class_name}_u_nm_np1_ba_goo_0": 1,
        f"#1_A_(b)!_{class_name}_f_cm_np10_ba_goo_1": 1,
        f"[x];'y',&+_{class_name}_l_cm_np2_le_med_0": 2,
        f"Film.1.5_{class_name}_h_cm_np1_fr_bad_2": 0,
    }


def hmdb_lists(folder: Path, *, split: int = 1, newline: str = "\n") -> Path:
    """Writes the lists of a small HMDB51 as the official ones are: a blank ends every line."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in HMDB_CLASSES:
        lines = [f"{stem}.avi {use} " for stem, use in hmdb_videos(name).items()]
        write_lines(folder / f"{name}_test_split{split}.txt", lines, newline)
    return folder


def hmdb_tree(root: Path, *, suffix: str = ".avi", prefix: str = "hmdb51_org/") -> Path:
    """A complete small HMDB51 below ``root``."""
    hmdb_lists(root / "testTrainMulti_7030_splits")
    return touch(root, *(f"{prefix}{name}/{stem}{suffix}" for name in HMDB_CLASSES for stem in hmdb_videos(name)))


def kinetics_clips(size: int, split: str) -> dict[str, tuple[str, int]]:
    """Stem to label and start of a Kinetics of one clip a class: ids of 11 characters that may start with - or _."""
    clips = {}
    for number in range(size):
        label = f"doing thing {number:03d} (in game)" if number else "abseiling"
        start = number * 7 + (split != "train")
        clips[f"{'-_a'[number % 3]}{split[0]}{number:09d}_{start:06d}_{start + 10:06d}"] = (label, start)
    return clips


def kinetics_list(file: Path, size: int, split: str, *, newline: str = "\n", is_cc: bool = False) -> Path:
    """Writes a list as the official ones are: labels with a blank are quoted, others not."""
    lines = ["label,youtube_id,time_start,time_end,split" + ",is_cc" * is_cc]
    for stem, (label, start) in kinetics_clips(size, split).items():
        quoted = f'"{label}"' if " " in label else label
        lines.append(f"{quoted},{stem[:11]},{start},{start + 10},{split}" + ",0" * is_cc)
    write_lines(file, lines, newline)
    return file


def kinetics_tree(root: Path, size: int = 400, *, validation: str = "val", suffix: str = ".mp4") -> Path:
    """A complete Kinetics below ``root``: every class has a clip for training, in one folder, and one to validate."""
    root.mkdir(parents=True, exist_ok=True)
    for split in ("train", validation):
        kinetics_list(root / f"{split}.csv", size, split)
        touch(root, *(f"{split}/{stem}{suffix}" for stem in kinetics_clips(size, split)))
    write_lines(root / "test.csv", ["youtube_id,time_start,time_end,split", "--6bJUbfpnQ,17,27,test"])
    return root


DIVING_LABELS = tuple(label for label in range(48) if label != 30)
"""Those that have videos."""


def diving_name(label: int) -> str:
    """The class name of a small vocabulary."""
    return f"Back_{label:02d}som_NoTwis_FREE"


def diving_videos(split: str) -> dict[str, int]:
    """Names and labels, every label but 30 twice for training and once for testing; names may start with - or _."""
    many = 2 if split == "train" else 1
    return {
        f"{'-_a'[label % 3]}{split}{number}Xyz_{label:05d}": label for label in DIVING_LABELS for number in range(many)
    }


def diving_lists(folder: Path, *, vocabulary: bool = True) -> Path:
    """Writes the lists of a small Diving48 as the official ones are."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        rows = [
            {"vid_name": name, "label": label, "start_frame": 0, "end_frame": 60 + label}
            for name, label in diving_videos(split).items()
        ]
        (folder / f"Diving48_V2_{split}.json").write_text(json.dumps(rows, indent=2))
    if vocabulary:
        (folder / "Diving48_vocab.json").write_text(json.dumps([diving_name(label).split("_") for label in range(48)]))
    return folder


def diving_tree(root: Path, *, suffix: str = ".mp4", prefix: str = "rgb/") -> Path:
    """A complete small Diving48 below ``root``."""
    diving_lists(root)
    return touch(root, *(f"{prefix}{name}{suffix}" for split in ("train", "test") for name in diving_videos(split)))


def ssv2_template(label: int) -> str:
    """The template of a class, with its placeholders in brackets; of class 5 with a whole sentence in them."""
    if label == 5:
        return "Putting [something that cannot actually stand upright] upright on the table, so it falls"
    return f"Moving [something] and [number of] [something] {label:03d} times"


def ssv2_name(label: int) -> str:
    """The class name."""
    return ssv2_template(label).replace("[", "").replace("]", "")


def ssv2_videos(split: str) -> dict[str, int]:
    """Ids and labels: two of each class for training, one for testing; ids are not in the order of labels."""
    many, first = (2, 1) if split == "train" else (1, 1000)
    return {str(first + (7 * label) % 174 + 174 * number): label for label in range(174) for number in range(many)}


def ssv2_lists(folder: Path, *, prefix: str = "something-something-v2-") -> Path:
    """Writes the lists of a small Something-Something V2 as the official ones are."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {ssv2_name(label): str(label) for label in range(174)}
    (folder / f"{prefix}labels.json").write_text(json.dumps(labels, indent=1))
    for split, called in (("train", "train"), ("test", "validation")):
        rows = [
            {"id": video, "label": "moving 2 cups", "template": ssv2_template(label), "placeholders": ["cups"]}
            for video, label in ssv2_videos(split).items()
        ]
        (folder / f"{prefix}{called}.json").write_text(json.dumps(rows))
    (folder / f"{prefix}test.json").write_text(json.dumps([{"id": "9999"}]))
    return folder


def ssv2_tree(root: Path, *, suffix: str = ".webm", prefix: str = "20bn-something-something-v2/") -> Path:
    """A complete small Something-Something V2 below ``root``."""
    ssv2_lists(root)
    return touch(root, *(f"{prefix}{video}{suffix}" for split in ("train", "test") for video in ssv2_videos(split)))


AVA_IDS = tuple(id_ for id_ in range(1, 81) if id_ % 4)
"""Sixty of eighty."""
AVA_ROWS: dict[str, tuple[str, ...]] = {
    "train": (
        "-aaaaaaaaaa,0902,0.002,0.118,0.714,0.977,12,1",  # an action that is not evaluated
        "-aaaaaaaaaa,0902,0.002,0.118,0.714,0.977,79,1",
        "-aaaaaaaaaa,0902,0.444,0.054,0.992,0.990,17,0",
        "-aaaaaaaaaa,0903,0.000,0.000,1.000,1.000,1,0",
        "bbbbbbbbbbb,0904,0.100,0.200,0.300,0.400,80,2",
    ),
    "val": (
        "_ccccccccc_,1798,0.100,0.200,0.300,0.400,79,3",
        "_ccccccccc_,1797,0.100,0.200,0.300,0.400,3,3",
        "_ccccccccc_,0950,0.100,0.200,0.300,0.400,3,3",  # excluded
    ),
}
AVA_DETECTED = ("_ccccccccc_,1798,0.110,0.200,0.300,0.410,,0.95", "_ccccccccc_,1700,0.500,0.500,0.900,1.000,-1,0.5")


def ava_lists(folder: Path, *, detected: bool = False) -> Path:
    """Writes the lists of a small AVA as the official ones are."""
    folder.mkdir(parents=True, exist_ok=True)
    items = [f'item {{\n  name: "do (with {id_})"\n  id: {id_}\n}}' for id_ in AVA_IDS]
    write_lines(folder / "ava_action_list_v2.2_for_activitynet_2019.pbtxt", items, "\n")
    for split, rows in AVA_ROWS.items():
        write_lines(folder / f"ava_{split}_v2.2.csv", list(rows))
        excluded = ["_ccccccccc_,0950"] if split == "val" else []
        write_lines(folder / f"ava_{split}_excluded_timestamps_v2.2.csv", excluded)
    if detected:
        write_lines(folder / "ava_val_predicted_boxes.csv", list(AVA_DETECTED))
    return folder


def ava_tree(root: Path, *, suffix: str = ".mkv", prefix: str = "videos/", detected: bool = False) -> Path:
    """A complete small AVA below ``root``."""
    ava_lists(root / "annotations", detected=detected)
    return touch(root, *(f"{prefix}{name}{suffix}" for name in ("-aaaaaaaaaa", "bbbbbbbbbbb", "_ccccccccc_")))
