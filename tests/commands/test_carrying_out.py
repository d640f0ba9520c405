"""``raysl export-backbone`` and ``raysl embed``: what leaves the store is what was evaluated in it."""

from __future__ import annotations

import builtins
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from safetensors import safe_open

import raysl
from raysl.commands.inputs import shelf_of
from raysl.data.decode import read_frames
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.evaluation.feature_protocol import FeatureProtocol
from raysl.evaluation.protocol import Features, Task
from raysl.views.evaluation_clips import evaluation_placements
from tests.cells import TINY_BACKBONE
from tests.conftest import BUCKET
from tests.planning.studies import RECIPE, write_study
from tests.test_cli import Done
from tests.test_cli import raysl as command
from tests.work.test_run_cells import videos

pytestmark = pytest.mark.slow

STUDY = f"""
title: "Networks that plain PyTorch builds, and one that it does not"
base: recipe
training: {{steps: 2, batch_size: 4}}
datasets: {{mine: {{name: folder, test_share: 0.5}}}}
data: mine
evaluation: {{linear: {{clips: 2, folds: 2, grid: [0.1, 1.0]}}, retrieval: {{clips: 2}}}}
rows:
  plain: {{backbone: {{last_stage_time: kept, max_pool: true}}}}
  difference: {{clip: {{input: difference}}, backbone: {{name: shallow_c3d, width: 0.0625}}}}
  traced: {{backbone: {TINY_BACKBONE}}}
  random: {{pretraining: none}}
baseline: random
seeds: [0]
evaluations: [linear/mine, retrieval/mine]
"""


@dataclass(frozen=True)
class Made:
    """A store with all cells of the study."""

    folder: Path
    study: raysl.Study
    run: raysl.Run

    @property
    def storage(self) -> str:
        return str(self.folder / "store")

    @property
    def places(self) -> Places:
        """Of the data set too as a cell knows it, which has no names of a study."""
        return Places.find(dict.fromkeys(("mine", "folder"), self.folder / "videos"), self.folder / "cache")

    def cell(self, row: str) -> raysl.CellResults:
        return raysl.open_store(self.storage).cell(row, seed=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    videos(folder / "videos", ("left", "right"), count=6)
    study = raysl.load_study(
        write_study(folder, STUDY, RECIPE.replace("frames: 4, stride: 2", "frames: 8, stride: 1"), trivial=True)
    )
    where: dict[str, Any] = {"roots": {"mine": folder / "videos"}, "cache": folder / "cache"}
    run = raysl.run(study, folder / "store", local=True, reports=folder / "reports", formats=[], quiet=True, **where)
    assert run.complete, run.log
    return Made(folder, study, run)


@pytest.fixture
def here(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """In a folder of its own, with the cache of the run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CACHE", str(made.folder / "cache"))
    return made


def blocks(card: str) -> list[str]:
    """The Python of a card."""
    return re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)


def raw_clip(made: Made, cell: raysl.CellResults, video: str) -> torch.Tensor:
    """The frames of the clip in the middle of a video, as they are decoded."""
    file, clip = made.folder / "videos" / video, cell.config.clip
    source = open_source(cell.config.data, made.places, resize=clip.resize)
    (found,) = [one for one in source.catalog.videos if one.path == video]
    (placement,) = evaluation_placements(source.length(found.index), clip, 1)
    return torch.as_tensor(read_frames(file, placement.indices(source.length(found.index)), decoder="pyav"))


@pytest.mark.parametrize("row", ["plain", "difference", "traced", "random"])
def test_the_card_alone_gives_the_features_of_the_cell(row: str, here: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its two programs are run as they are printed, where nothing of raysl can be imported."""
    cell, video = here.cell(row), "left/0.mp4"
    done = command("export-backbone", f"{row}/seed0", "--to", "out", "--storage", here.storage)
    assert (done.returncode, done.stderr) == (0, "")
    expected = raysl.embed(cell, [here.folder / "videos" / video], clips=1).values
    frames = raw_clip(here, cell, video)
    use, clips = blocks(Path("out/README.md").read_text())
    monkeypatch.chdir("out")
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        assert name.partition(".")[0] != "raysl"
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    space: dict[str, Any] = {}
    exec(clips, space)
    space["clips"] = space["clip_of"](frames)[None]
    with torch.inference_mode():
        exec(use, space)
    # The mean of the last map is another kernel's, and the layout of the clips in memory another.
    np.testing.assert_allclose(space["features"].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 1e-3


def test_a_card_says_where_the_backbone_comes_from(here: Made) -> None:
    cell = here.cell("plain")
    assert raysl.export_backbone(cell, "out") == ["model.safetensors", "cell.yaml", "README.md"]
    _, head, text = Path("out/README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(head)
    assert (front["license"], front["library_name"]) == ("unknown", "pytorch")
    results = {one["task"]["name"]: one["metrics"] for one in front["model-index"][0]["results"]}
    stored = cell.metrics
    assert {label: {one["name"]: one["value"] for one in metrics} for label, metrics in results.items()} == stored
    provenance = cell.folder.provenance() or {}
    for said in (
        "torchvision.models.video.r3d_18, with a 3x3x3 max pool of stride 2 follows the stem",
        "| study | study (scale paper) |", "| row | plain |", "| seed | 0 |", f"| cell | {cell.name} |",
        f"| snapshot of the data | {provenance['data']['snapshot']} |", "| data set | mine: ", "6 train",
        "| licence of the data | unknown:", "| steps | 2 |", f"| raysl | {raysl.__version__}, commit ",
        f"| retrieval/mine | R@1 | {stored['retrieval/mine']['R@1']:.2f} | 6 |",
    ):  # fmt: skip
        assert said in text, said
    assert yaml.safe_load(Path("out/cell.yaml").read_text()) == cell.folder.config()
    with safe_open("out/model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert set(file.keys()) == set(cell.backbone().state_dict())


def test_a_folder_with_files_is_refused_unless_they_may_be_replaced(here: Made) -> None:
    given = ("--to", "out", "--storage", here.storage)
    assert command("export-backbone", "traced/seed0", *given).returncode == 0
    assert Path("out/model.pt2").exists()
    done = command("export-backbone", "plain/seed0", *given)
    assert done.returncode == 2
    assert "--to out: there are files in it: give another folder, or --overwrite" in done.stderr
    assert "traced" in Path("out/README.md").read_text()
    assert command("export-backbone", "plain/seed0", *given, "--overwrite").returncode == 0
    assert not Path("out/model.pt2").exists(), "of another network"


def evaluated(made: Made, cell: raysl.CellResults, split: str) -> Features:
    """What the retrieval of a cell reads, by the code that evaluates cells."""
    evaluation = cell.evaluations()["retrieval/mine"]
    source = open_source(evaluation.data, made.places, resize=cell.config.clip.resize)
    task = Task(
        cell.backbone(), source, cell.config.clip, 0, torch.device("cpu"), options=evaluation.protocol.options
    )  # fmt: skip
    protocol = evaluation.protocol.build()
    assert isinstance(protocol, FeatureProtocol)
    return protocol.features(task, split)


@pytest.mark.parametrize("row", ["plain", "difference"])
def test_features_of_a_data_set_are_those_of_its_evaluation_bit_for_bit(row: str, here: Made) -> None:
    cell = here.cell(row)
    done = command(
        "embed", cell.id, "--data", "folder", "--set", "test_share=0.5", "--root", f"folder={here.folder / 'videos'}",
        "--storage", here.storage, "--to", "features.parquet",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 videos" in done.stdout
    assert "by 2 clips of 8 frames a video" in done.stdout
    frame = pd.read_parquet("features.parquet")
    for split in ("train", "test"):
        features, rows = evaluated(here, cell, split), frame[frame["split"] == split]
        assert rows["path"].tolist() == list(features.path)
        assert rows["label"].tolist() == [("left", "right")[label] for label in features.label]
        np.testing.assert_array_equal(np.stack(rows["features"].to_list()), features.values)
    # And so the nearest training video is of the class that the stored result says.
    train, test = (frame[frame["split"] == split] for split in ("train", "test"))
    unit = [np.stack(one["features"].to_list()) for one in (train, test)]
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in unit]
    nearest = (unit[1] @ unit[0].T).argmax(axis=1)
    hits = train["label"].to_numpy()[nearest] == test["label"].to_numpy()
    assert 100 * hits.mean() == pytest.approx(cell.metrics["retrieval/mine"]["R@1"])


def test_files_without_labels_and_files_that_cannot_be_read(here: Made, tmp_path: Path) -> None:
    cell, mine = here.cell("plain"), tmp_path / "mine"
    shutil.copytree(here.folder / "videos" / "left", mine / "deep")
    (mine / "bad.mp4").write_bytes(b"not a video")
    (mine / "notes.txt").write_text("no video")
    done = command("embed", "plain/seed0", "mine", "mine/deep/0.mp4", "--to", "f.parquet", "--storage", here.storage)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 videos cannot be read, and have no row:\n  mine/bad.mp4: " in done.stdout
    frame, about = pd.read_parquet("f.parquet"), json.loads(pq.read_schema("f.parquet").metadata[b"raysl"])
    assert frame["path"].tolist() == [f"mine/deep/{number}.mp4" for number in range(6)]
    assert frame["label"].isna().all()
    assert frame["split"].isna().all()
    assert list(about["unreadable"]) == ["mine/bad.mp4"]
    assert (about["cell"], about["title"], about["sampling"]["clips"]) == (cell.name, "study/plain/seed0", 2)
    by_name = {f"left/{number}.mp4": values for number, values in enumerate(frame["features"])}
    for split in ("train", "test"):
        features = evaluated(here, cell, split)
        ours = [index for index, path in enumerate(features.path) if path in by_name]
        given = np.stack([by_name[features.path[index]] for index in ours])
        # Other videos share a forward pass, and so the order of its sums.
        np.testing.assert_allclose(given, features.values[ours], rtol=1e-4, atol=1e-6)


def test_what_cannot_be_embedded_is_refused(here: Made, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.mp4").write_bytes(b"not a video")

    root = ("--root", f"folder={here.folder / 'videos'}")

    def embed(*given: str) -> Done:
        return command("embed", "plain/seed0", *given, "--storage", here.storage)

    for given, said in (
        (("nothing.mp4",), "nothing.mp4: there is no such file or folder of videos"),
        (("empty",), "empty: there is no video in this folder"),
        (("bad.mp4",), "none of the 1 videos can be read (first: bad.mp4: "),
        ((), "give video files and folders, or a data set with --data NAME"),
        (("bad.mp4", "--data", "folder"), "one of the two"),
        (("bad.mp4", "--split", "test"), "--split is of a data set"),
        (("bad.mp4", "--to", str(tmp_path)), "give a file, for instance features.parquet"),
        (("--data", "folder", "--root", f"foldr={tmp_path}"), "--root foldr: the data set is called folder"),
        (("bad.mp4", "--protocol", "knn"), "there are: linear/mine, retrieval/mine"),
        (("--data", "folder", *root, "--split", "val"), "has no split 'val'; it has: test, train"),
    ):
        done = embed(*given)
        assert done.returncode in (1, 2), given
        assert said in done.stderr, done.stderr


def test_evaluations_that_take_clips_otherwise_must_be_chosen_from(here: Made, tmp_path: Path) -> None:
    study = raysl.load_study(here.study.planned.study.path, overrides={"evaluation.linear.clips": 3})
    where: dict[str, Any] = {"roots": {"mine": here.folder / "videos"}, "quiet": True, "formats": []}
    shutil.copytree(here.storage, tmp_path / "store")
    assert raysl.run(study, tmp_path / "store", local=True, **where).complete
    cell = raysl.open_store(tmp_path / "store").cell("plain", seed=0, study=study)
    three = {record["evaluation"]["protocol"]["clips"]: label for label, record in cell.records.items()}[3]
    video = [here.folder / "videos" / "left" / "0.mp4"]
    with pytest.raises(raysl.ConfigError, match="take clips in 2 ways: choose one with --protocol"):
        raysl.embed(cell, video)
    assert raysl.embed(cell, video, protocol=three).made["sampling"]["clips"] == 3
    assert raysl.embed(cell, video, clips=4).made["sampling"]["clips"] == 4, "all the same with so many"


def test_a_store_without_weights_says_so(here: Made) -> None:
    roots = ("--root", f"mine={here.folder / 'videos'}")
    study = here.study.planned.study.path
    assert command("export", study, "--to", "slim", "--storage", here.storage, *roots).returncode == 0
    for row in ("plain", "random"):
        for given in (("export-backbone", f"{row}/seed0", "--to", "out"), ("embed", f"{row}/seed0", "x.mp4")):
            done = command(*given, "--storage", "slim")
            assert done.returncode == 1
            assert "has no backbone to load: its folder holds no weights (a slim store)" in done.stderr
    assert not Path("out").exists()
    done = command("export-backbone", "mean colour, nothing learned/seed0", "--to", "out", "--storage", here.storage)
    assert "mean_colour has no weights: there is nothing to export" in done.stderr


def test_buckets_are_read_and_written(here: Made, s3_address: str) -> None:
    client = boto3.client("s3", endpoint_url=f"http://{s3_address}")
    for file in Path(here.storage).rglob("*"):
        if file.is_file():
            key = f"carried/{file.relative_to(here.storage)}"
            client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())

    def at(path: str) -> str:
        return f"s3://{BUCKET}/{path}?scheme=http&endpoint_override={s3_address}"

    def read(path: str) -> bytes:
        return bytes(client.get_object(Bucket=BUCKET, Key=path)["Body"].read())

    raysl.export_backbone(here.cell("plain"), "out")
    done = command("export-backbone", "plain/seed0", "--to", at("out"), "--storage", at("carried"))
    assert (done.returncode, done.stderr) == (0, "")
    assert read("out/model.safetensors") == Path("out/model.safetensors").read_bytes()
    assert (
        "there are files in it"
        in command("export-backbone", "plain/seed0", "--to", at("out"), "--storage", at("carried")).stderr
    )
    video = str(here.folder / "videos" / "left" / "0.mp4")
    done = command("embed", "plain/seed0", video, "--to", at("f.parquet"), "--storage", at("carried"))
    assert (done.returncode, done.stderr) == (0, "")
    table = pq.read_table(pa_reader(read("f.parquet")))
    np.testing.assert_array_equal(table["features"].to_pylist(), raysl.embed(here.cell("plain"), [video]).values)


def pa_reader(content: bytes) -> Any:
    import pyarrow as pa

    return pa.BufferReader(content)


def test_the_studys_own_titles_are_read_where_a_study_is_given(here: Made) -> None:
    shutil.copytree(here.storage, "store")
    shutil.rmtree("store/studies")
    given = ("export-backbone", "plain/seed0", "--to", "out", "--storage", "store")
    done = command(*given)
    assert "none is called so; titles such as study/row/seed0 are read where --study names their study" in done.stderr
    assert command(*given, "--study", here.study.planned.study.path).returncode == 0
    assert "| row | plain |" in Path("out/README.md").read_text()
    cell = here.cell("random")
    raysl.export_backbone(raysl.open_store("store").cell(cell.name), "untitled")
    text = Path("untitled/README.md").read_text()
    assert "| row | unknown: no run has kept it |" in text
    assert "not trained at all" in text
    assert shelf_of([here.study.planned], "store", here.places).find(here.study.cells[0]).own == "done"
