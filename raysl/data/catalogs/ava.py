"""AVA v2.2 (Gu et al. 2018, https://research.google.com/ava), read from its official lists.

Lists, in ``root/annotations/`` or the root: ``ava_train_v2.2.csv`` and ``ava_val_v2.2.csv`` (rows of film, second, box,
action, person), ``ava_action_list_v2.2_for_activitynet_2019.pbtxt`` (the 60 actions that are evaluated, of 80), and
``ava_train_excluded_timestamps_v2.2.csv`` and ``ava_val_excluded_timestamps_v2.2.csv``, whose frames are not used.
Boxes of a person detector in the frames of validation may be next to them, as SlowFast distributes them:
``ava_val_predicted_boxes.csv`` or ``ava_detection_val_boxes_and_labels.csv``, rows of film, second, box, an action that
is ignored, and a score.

The films ``ID.mp4``, with any suffix of a video, are anywhere in ``root/trimmed_videos/``, ``root/videos_15min/``,
``root/videos/`` or the root: whole (`first_second` 0), or cut to the annotated quarter of an hour (`first_second` 900,
as SlowFast and mmaction2 cut them). A second's frame is found by the film's mean rate: films with a varying rate are
best converted to a constant one, as both do.

The validation list is the catalog's split ``test``, as all papers evaluate on it. Films have no labels.
"""

from __future__ import annotations

from pathlib import Path

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.data.catalog import AnnotatedFrame, Catalog, CatalogReader, Video
from raysl.data.catalogs.boxes import BoxLists
from raysl.data.catalogs.files import check_root, child
from raysl.data.catalogs.listed import Entry, anywhere, list_folder
from raysl.errors import DataError

_CLASSES = 60
_FOLDERS = ("trimmed_videos", "videos_15min", "videos")
_SPLITS = {"train": "train", "test": "val"}
"""From the catalog's split to its name in the official lists."""
CLASSES = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
DETECTED = ("ava_val_predicted_boxes.csv", "ava_detection_val_boxes_and_labels.csv")
EXCLUDED = "excluded timestamps, which are not used"
NOT_EVALUATED = "actions that are annotated and not evaluated"
_HINT = "unpack the official ava_v2.2.zip into the root, or give its folder: --root ava-lists=PATH"


class AVAOptions(Options):
    """How the films were cut."""

    first_second: float = option(
        0.0,
        doc="second of the film at which each file begins; whole films 0, quarters of an hour 900",
        unit="s",
        source="printed: AVA annotates seconds 902 to 1798; code: SlowFast cuts from 900 on",
        ge=0,
        le=1e5,
    )
    allow_missing: bool = option(
        False, doc="continue without films whose files are absent, and count them", source="ours", identity=False
    )


class AVAReader(CatalogReader):
    """Reads the lists; actions by their official ids, films by split and name, frames by film and second."""

    has_lists = True

    def __init__(self, options: AVAOptions) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "ava")
        lists = read_lists(list_folder(self.lists or root, ("annotations",), "ava_*_v2.2.csv"), "ava", _HINT)
        if len(lists.classes) != _CLASSES:
            raise DataError(f"ava: {lists.file(CLASSES)} has {len(lists.classes)} actions, not {_CLASSES}; {_HINT}")
        return annotated_catalog(root, lists, _FOLDERS, self.options)

    def recording(self, video: Video) -> str | None:
        """Every film is a recording."""
        return video.path


def read_lists(folder: Path, name: str, hint: str) -> BoxLists:
    """The official lists below a folder.

    Args:
        name: of the data set, for messages.
        hint: where to get the lists.

    Raises:
        DataError: a list that is absent or cannot be read; naming file and line, a row that is malformed.
    """
    lists = BoxLists(name, folder, hint)
    lists.read_classes(CLASSES)
    for split, called in _SPLITS.items():
        excluded = lists.read_excluded(f"ava_{called}_excluded_timestamps_v2.2.csv")
        lists.read_people(f"ava_{called}_v2.2.csv", split, excluded)
        if split == "test" and (found := child(folder, DETECTED)) is not None:
            lists.read_detected(found.name, split, excluded)
    return lists


def annotated_catalog(root: Path, lists: BoxLists, folders: tuple[str, ...], options: AVAOptions) -> Catalog:
    """The catalog of the films that have a file.

    Args:
        folders: where the films may be below the root.

    Raises:
        DataError: a film is on both lists; files are absent, and that is not allowed, or all of them are.
    """
    films: dict[str, str] = {}
    for (film, _), moment in lists.moments.items():
        if films.setdefault(film, moment.split) != moment.split:
            raise DataError(f"{moment.where}: the film {film} is on the other list too: keep it on one")
    entries = [Entry(split, film, ".mp4", split) for split in _SPLITS for film in sorted(films) if films[film] == split]
    paths, notes = anywhere(root, folders).match(entries)
    missing = tuple(entry.path for entry, path in zip(entries, paths, strict=True) if path is None)
    if missing and (len(missing) == len(entries) or not options.allow_missing):
        raise DataError(
            f"{lists.name}: {len(missing)} of {len(entries)} listed films have no file below {root} (looked in "
            f"{', '.join(folders)} or the root, any video suffix), e.g. {missing[0]}; add the files, or set "
            "`allow_missing: true` to continue without them"
        )
    found = [(entry, path) for entry, path in zip(entries, paths, strict=True) if path is not None]
    videos = tuple(Video(index, path, None, entry.split) for index, (entry, path) in enumerate(found))
    index_of = {entry.stem: index for index, (entry, _) in enumerate(found)}
    frames = [
        AnnotatedFrame(
            index_of[film], second - options.first_second, moment.persons(), tuple(moment.detected), moment.where
        )
        for (film, second), moment in lists.moments.items()
        if film in index_of
    ]
    said = {
        EXCLUDED: tuple(f"{film}, second {second:g}" for film, second in sorted(lists.excluded)),
        NOT_EVALUATED: tuple(f"action {id_}: {count} boxes" for id_, count in sorted(lists.not_evaluated.items())),
    }
    return Catalog(
        lists.name,
        tuple(lists.classes.values()),
        videos,
        missing,
        {**notes, **{heading: lines for heading, lines in said.items() if lines}},
        annotated=tuple(sorted(frames, key=lambda frame: (frame.video, frame.second))),
    )


COMPONENT = Component(kind="data set", options=AVAOptions, build=AVAReader, labelled=lambda options: False, boxes=True)
