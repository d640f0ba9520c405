"""Features of any videos: the same as evaluations read, in parts and with words of progress."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from raysl.config.evaluation import EvaluationConfig
from raysl.data.catalog import Catalog
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, DataError
from raysl.evaluation import embed as embedding
from raysl.evaluation.embed import embed, sampling_of
from raysl.evaluation.feature_protocol import FeatureOptions
from raysl.evaluation.features import extract_features
from tests.cells import tiny_cell
from tests.evaluation.tiny import CLIP, CPU, UNREADABLE, backbone, evaluation

CELL = tiny_cell({"clip": CLIP.model_dump()})
OPTIONS = FeatureOptions(clips=2, train_clips=1)


def test_parts_change_no_bit_and_progress_is_told(tiny: VideoSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "BATCH_CLIPS", 4)
    monkeypatch.setattr(embedding, "BLOCKS", 1)
    told: list[tuple[int, int]] = []
    made = embed(
        backbone(), CELL, tiny, OPTIONS, device=CPU, on_progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (len(made), len(made))
    assert len(told) > 4
    for split, clips in (("train", 1), ("test", 2)):
        expected = extract_features(backbone(), tiny, split, CLIP, clips, batch_clips=4, device=CPU)
        rows = [row for row, one in enumerate(made.splits) if one == split]
        np.testing.assert_array_equal(made.values[rows], expected.values)
        assert tuple(made.paths[row] for row in rows) == expected.path
        classes = tiny.catalog.classes
        assert [made.labels[row] for row in rows] == [classes[label] for label in expected.label]
    lost = tiny.catalog.videos[UNREADABLE].path
    assert list(made.unreadable) == [lost]
    assert lost not in made.paths


def test_a_parquet_file_has_all_of_it(tiny: VideoSource) -> None:
    made = embed(backbone(), CELL, tiny, OPTIONS, device=CPU, splits=["test"], made={"cell": "abc"})
    content = made.to_parquet()
    frame, table = pd.read_parquet(io.BytesIO(content)), pq.read_table(io.BytesIO(content))
    assert frame["path"].tolist() == list(made.paths)
    np.testing.assert_array_equal(np.stack(frame["features"].to_list()), made.values)
    assert str(table.schema.field("features").type) == "list<element: float>"
    about = json.loads(table.schema.metadata[b"raysl"])
    assert about["cell"] == "abc"
    assert about["sampling"]["clip"] == {**CLIP.model_dump()}
    assert about["unreadable"] == {}, "it is of another split"
    assert made.frame()["label"].tolist() == frame["label"].tolist()


def test_videos_without_labels_and_sets_without_videos(tiny: VideoSource) -> None:
    bare = tuple(replace(video, label=None) for video in tiny.catalog.videos)
    source = VideoSource(Catalog("bare", (), bare), tiny.manifest, tiny.root, tiny.cache)
    made = embed(backbone(), CELL, source, OPTIONS, device=CPU, splits=["test"])
    assert set(made.labels) == {None}
    labelled = embed(backbone(), CELL, tiny, OPTIONS, device=CPU, splits=["test"])
    np.testing.assert_array_equal(made.values, labelled.values)
    lost = replace(tiny.manifest.rows[UNREADABLE], error="it is no video")
    only = VideoSource(
        Catalog("lost", (), (replace(bare[UNREADABLE], index=0),)),
        replace(tiny.manifest, rows=(lost,)),
        tiny.root,
        tiny.cache,
    )
    with pytest.raises(DataError, match=r"none of the 1 videos can be read \(first: .*: it is no video\)"):
        embed(backbone(), CELL, only, OPTIONS, device=CPU)


def evaluations(*clips: int) -> dict[str, EvaluationConfig]:
    return {f"linear/{count}": evaluation("linear", f"linear/{count}", clips=count) for count in clips}


def test_clips_are_those_of_the_evaluations() -> None:
    assert sampling_of({}, None, None) == FeatureOptions()
    assert sampling_of(evaluations(3), None, None) == FeatureOptions(clips=3)
    assert sampling_of(evaluations(3, 4), "linear/4", None) == FeatureOptions(clips=4)
    assert sampling_of(evaluations(3, 4), None, 7) == FeatureOptions(clips=7)
    with pytest.raises(ConfigError, match="in 2 ways: choose one with --protocol linear/3 or --protocol linear/4"):
        sampling_of(evaluations(3, 4), None, None)
    with pytest.raises(ConfigError, match="in 2 ways"):
        sampling_of(evaluations(3, 4), "linear", None)
    with pytest.raises(ConfigError, match="there are: linear/3"):
        sampling_of(evaluations(3), "retrieval", None)
    projected = {"retrieval/x": evaluation("retrieval", "retrieval/x", features="projection", clips=9)}
    assert sampling_of({**projected, **evaluations(3)}, None, None).clips == 3
    with pytest.raises(ConfigError, match="there are: none"):
        sampling_of(projected, "retrieval/x", None)
