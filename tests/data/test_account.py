"""What lies below a root: all of it is taken, counted or named, and what cannot be read is an error."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import Chosen
from raysl.data.account import NAMED, account, write_account
from raysl.data.catalog import Catalog
from raysl.data.catalogs.files import VIDEO_SUFFIXES
from raysl.data.catalogs.folder import TWINS, FolderOptions, FolderReader
from raysl.data.catalogs.listed import NO_FILES
from raysl.data.catalogs.ucf101 import UCF101Options, UCF101Reader
from raysl.data.check import check_catalog
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.errors import DataError
from raysl.testing.data_set import touch

from .catalog_trees import ucf_tree, ucf_videos
from .rendered import moving_square, write_video
from .unprivileged import public_folder, unprivileged

PAIRS = ("jump/1.mp4", "jump/2.mp4", "kick/1.mp4", "kick/2.mp4")


def read(root: Path, **options: Any) -> Catalog:
    return FolderReader(FolderOptions(**options)).read(root)


def test_every_usual_suffix_is_read_in_any_case_and_others_are_counted(tmp_path: Path) -> None:
    names = "mp4 AVI mkv webm mov m4v mpg mpeg MTS m2ts ts vob ogv flv wmv asf divx 3gp gif"
    suffixes = [f".{name}" for name in names.split(" ")]
    touch(tmp_path, *(f"{name}/clip{suffix}" for name in ("jump", "kick") for suffix in suffixes))
    touch(tmp_path, "jump/bare", "jump/UPPER.TXT", "kick/a.txt", "notes.md", "kick/archive.tar.gz")
    catalog = read(tmp_path)
    assert len(catalog.videos) == 2 * len(suffixes)
    assert {suffix.lower() for suffix in suffixes} <= set(VIDEO_SUFFIXES)
    lines = account(tmp_path, catalog)
    assert lines[0].startswith(f"below the root: {2 * len(suffixes)} videos taken (")
    assert lines[1].split(None, 2)[2] == ".txt 2, .md 1, without suffix 1, .gz 1"


def test_hidden_and_system_folders_are_skipped_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, *PAIRS, "__MACOSX/jump/1.mp4", "jump/@eaDir/1.mp4", "lost+found/x.mp4", "$RECYCLE.BIN/y.avi")
    touch(tmp_path, "#snapshot/jump/1.mp4", "@tmp/1.mp4", "RECYCLER/1.mp4", "kick/@Recently-Snapshot/1.mp4")
    touch(tmp_path, "kick/.thumbs/1.mp4", "kick/._1.mp4", "jump/.part.mp4", ".git/config")
    catalog = read(tmp_path)
    assert [video.path for video in catalog.videos] == list(PAIRS)
    assert catalog.classes == ("jump", "kick")
    skipped = account(tmp_path, catalog)[3]
    for part in ("hidden folders 2", "folders __MACOSX 1", "folders @eaDir 1", "folders lost+found 1", "._ files 1"):
        assert part in skipped
    assert "hidden files 1" in skipped


def _broken(root: Path) -> list[str]:
    """What is named like a video and is no file."""
    (root / "jump/gone.mp4").symlink_to(root / "nowhere.mp4")
    (root / "jump/self.mkv").symlink_to(root / "jump/self.mkv")
    os.mkfifo(root / "kick/pipe.avi")
    (root / "kick/folder.mp4").mkdir()
    with socket.socket(socket.AF_UNIX) as opened:
        here = os.open(root / "kick", os.O_RDONLY)
        opened.bind(f"/proc/self/fd/{here}/s.mov")
        os.close(here)
    return ["jump/gone.mp4", "jump/self.mkv", "kick/folder.mp4", "kick/pipe.avi", "kick/s.mov"]


@pytest.mark.parametrize("options", [{}, {"labels": "none"}, {"split": "folds", "folds": 2, "fold": 1}])
def test_what_is_no_plain_file_is_absent(tmp_path: Path, options: dict[str, Any]) -> None:
    broken = _broken(touch(tmp_path, *PAIRS))
    catalog = read(tmp_path, **options)
    assert [video.path for video in catalog.videos] == list(PAIRS)
    assert sorted(catalog.missing) == broken
    kinds = " ".join(catalog.notes[NO_FILES])
    for part in ("a link to nothing", "a link to itself", "a named pipe", "a folder", "a socket"):
        assert part in kinds


def test_a_folder_named_like_a_video_may_hold_some(tmp_path: Path) -> None:
    catalog = read(touch(tmp_path, *PAIRS, "kick/scene.mp4/take.avi"))
    assert "kick/scene.mp4/take.avi" in {video.path for video in catalog.videos}
    assert catalog.missing == ()


def test_listed_videos_that_are_no_files_are_missing(tmp_path: Path) -> None:
    ucf_tree(tmp_path)
    stems = ucf_videos()[:3]
    for stem in stems:
        (tmp_path / f"UCF-101/{stem}.mp4").unlink()
    (tmp_path / f"UCF-101/{stems[0]}.mp4").symlink_to("nowhere")
    (tmp_path / f"UCF-101/{stems[1]}.mp4").mkdir()
    os.mkfifo(tmp_path / f"UCF-101/{stems[2]}.mp4")
    with pytest.raises(DataError, match=r"3 of 24 listed videos .*named like a video but no file: \S+: a link to noth"):
        UCF101Reader(UCF101Options()).read(tmp_path)
    catalog = UCF101Reader(UCF101Options(allow_missing=True)).read(tmp_path)
    assert catalog.missing == tuple(f"{stem}.avi" for stem in stems)


def test_a_link_to_a_folder_above_brings_no_class_into_another(tmp_path: Path) -> None:
    touch(tmp_path, *PAIRS)
    (tmp_path / "kick/all").symlink_to(tmp_path)
    (tmp_path / "jump/me").symlink_to(tmp_path / "jump")
    catalog = read(tmp_path)
    assert [video.path for video in catalog.videos] == list(PAIRS)
    assert "links to folders that are read elsewhere 2" in account(tmp_path, catalog)[3]


def test_links_between_class_folders_bring_no_video_into_two_classes(tmp_path: Path) -> None:
    touch(tmp_path, *PAIRS, "kick/deep/3.mp4")
    (tmp_path / "jump/to").symlink_to(tmp_path / "kick/deep")
    (tmp_path / "kick/back").symlink_to(tmp_path / "jump")
    catalog = read(tmp_path)
    assert [video.path for video in catalog.videos] == [*PAIRS, "kick/deep/3.mp4"]
    assert "videos not taken       0" in account(tmp_path, catalog)[2]
    touch(tmp_path, "store/4.mp4", "store/5.mp4")
    (tmp_path / "jump/more").symlink_to(tmp_path / "store")
    chosen = read(tmp_path, classes=["jump", "kick"])
    assert "jump/more/4.mp4" in {video.path for video in chosen.videos}, "store is no class of its own here"


@pytest.mark.parametrize("target", ["kick", "kick/deep"])
def test_one_folder_under_two_classes_is_refused(tmp_path: Path, target: str) -> None:
    touch(tmp_path, *PAIRS, "kick/deep/3.mp4", "kick/deep/4.mp4")
    (tmp_path / "leap").symlink_to(tmp_path / target)
    with pytest.raises(
        DataError, match=r"class folders kick and leap are linked: both hold the folder kick\S*; remove"
    ):
        read(tmp_path)
    assert read(tmp_path, classes=["jump", "leap"]).classes == ("jump", "leap")


def test_names_that_are_no_text_are_counted_and_named(tmp_path: Path) -> None:
    ucf_tree(tmp_path)
    for name in (b"odd.\xff", b"clip\xfe.mp4"):
        (tmp_path / os.fsdecode(name)).touch()
    text = "\n".join(account(tmp_path, UCF101Reader(UCF101Options()).read(tmp_path)))
    assert r".\xff 1" in text
    assert r"clip\xfe.mp4: its name is not valid UTF-8" in text
    text.encode()


def test_all_that_is_named_is_written_to_a_file(tmp_path: Path) -> None:
    touch(tmp_path, *PAIRS, *(f"other/{number}.mp4" for number in range(50)))
    catalog = read(tmp_path, classes=["jump", "kick"])
    assert sum("  other/" in line for line in account(tmp_path, catalog)) == NAMED
    write_account(tmp_path, catalog, tmp_path / "account.txt")
    assert (tmp_path / "account.txt").read_text().count("  other/") == 50
    with pytest.raises(DataError, match=r"--account \S+ cannot be written"):
        write_account(tmp_path, catalog, tmp_path / "no/such/place")


@pytest.mark.slow
def test_folders_that_lie_in_each_other_without_an_end_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, *PAIRS)
    deepest = os.open(tmp_path / "kick", os.O_RDONLY)
    for _ in range(1200):  # below PATH_MAX
        os.mkdir("d", dir_fd=deepest)
        above, deepest = deepest, os.open("d", os.O_RDONLY, dir_fd=deepest)
        os.close(above)
    os.close(deepest)
    with pytest.raises(DataError, match="the folder kick holds folders that are nested hundreds deep"):
        read(tmp_path)
    subprocess.run(["rm", "-rf", tmp_path / "kick"], check=True)


@pytest.mark.parametrize(("locked", "options"), [("kick/deep/er", {}), ("kick", {}), ("kick/deep", {"labels": "none"})])
def test_a_folder_that_may_not_be_read_is_an_error(locked: str, options: dict[str, Any]) -> None:
    with public_folder() as root:
        touch(root, *PAIRS, "kick/deep/er/3.mp4")
        (root / locked).chmod(0)
        with unprivileged(), pytest.raises(DataError, match=rf"the folder {locked} cannot be read: Permission denied"):
            read(root, **options)
        (root / locked).chmod(0o755)


def test_a_class_folder_of_a_listed_set_that_may_not_be_read_is_an_error() -> None:
    with public_folder() as root:
        ucf_tree(root)
        (root / "UCF-101/Archery").chmod(0)
        with unprivileged(), pytest.raises(DataError, match="the folder UCF-101/Archery cannot be read: Permission"):
            UCF101Reader(UCF101Options(allow_missing=True)).read(root)
        (root / "UCF-101/Archery").chmod(0o755)


def test_a_root_that_may_not_be_read_or_reached_is_an_error() -> None:
    data = Chosen("data set", "folder", FolderOptions())
    with public_folder() as place:
        touch(place, *(f"inner/root/{path}" for path in PAIRS))
        for locked, message in (
            ("inner/root", "root .* cannot be read: Permission"),
            ("inner", "cannot be read: Perm"),
        ):
            (place / locked).chmod(0)
            with unprivileged(), pytest.raises(DataError, match=message):
                read(Places({"folder": place / "inner/root"}, place / "cache").root(data))
            (place / locked).chmod(0o755)


def test_the_check_prints_the_account_and_names_copies(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for number, path in enumerate(PAIRS):
        write_video(root / path, moving_square(5, seed=number))
    for number in range(4):
        write_video(root / f"run/{number}.mkv", moving_square(6, seed=number))
        (root / f"run/{number}.mov").write_bytes((root / f"run/{number}.mkv").read_bytes())
    touch(root, "jump/readme", "run/.x.mp4")
    (root / "jump/gone.mp4").symlink_to("nowhere")
    data = Chosen("data set", "folder", FolderOptions(test_share=0.5))
    source = open_source(data, Places({"folder": root}, tmp_path / "cache"), resize=24, fill=False)
    text = check_catalog(source).text()
    for part in ("below the root: 12 videos taken", "without suffix 1", "hidden files 1", f"{TWINS}: 4"):
        assert part in text
    assert "listed but absent      1" in text
    splits = {video.path: video.split for video in source.catalog.videos}
    parted = [number for number in range(4) if splits[f"run/{number}.mkv"] != splits[f"run/{number}.mov"]]
    assert parted, "the draw parts some"
    for number in parted:
        assert f"run/{number}.mkv ({splits[f'run/{number}.mkv']})" in text.split("equal contents in two splits:")[1]
