"""The runs of studies as TensorBoard itself reads them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

from raysl import results
from raysl.commands.tensorboard import folder_names
from raysl.planning.study import load_study
from raysl.results.place import place
from tests.planning.studies import SMALL_RECIPE, STUDY, write_study
from tests.test_cli import raysl

RUNS = [f"study/{row}/seed{seed}" for row in ("cold-warm", "plain", "random") for seed in (0, 1)]
METRICS = ["linear/synthetic top1", "retrieval/synthetic R@1"]
TEMPERATURE = "objective.contrastive.temperature"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run, beside its store ``store``, where an earlier run left a page."""
    folder = tmp_path_factory.mktemp("boards")
    (folder / "reports/study").mkdir(parents=True)
    (folder / "reports/study/index.html").touch()
    path = write_study(folder, STUDY.replace("warm:", "cold/warm:"), SMALL_RECIPE)
    places = ("--storage", folder / "store", "--reports", folder / "reports", "--cache", folder / "cache")
    done = raysl("run", path, "--local", *places, "--format", "md,csv,svg")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "said").write_text(done.stdout)
    return path


@pytest.mark.slow
def test_a_runs_last_lines_say_where_everything_is(study: Path, tmp_path: Path) -> None:
    said = (study.parent / "said").read_text().splitlines()
    report = study.parent / "reports/study"
    assert said[-2:] == [f"table: {report}/table.md", f"figure: {report}/figures/differences.svg"], "no page: it is old"
    assert (report / "figures/differences.svg").is_file()
    (board,) = (line for line in said if line.startswith("TensorBoard: "))
    assert said[said.index(board) + 1] == f"store: {study.parent / 'store'}"
    program, *command = shlex.split(board.removeprefix("TensorBoard: "))
    assert program == "raysl"
    done = raysl(*command, "--to", tmp_path / "board")
    assert "6 of 6 runs" in done.stdout, done.stderr


def read(folder: Path) -> EventMultiplexer:
    board = EventMultiplexer().AddRunsFromDirectory(str(folder))
    board.Reload()
    return board


def hparams(folder: Path) -> tuple[Any, list[Any]]:
    """Columns and lines of the HParams page."""
    provider = MultiplexerDataProvider(read(folder), str(folder))
    context = backend_context.Context(TBContext(logdir=str(folder), data_provider=provider))
    experiment = context.experiment_from_metadata(
        RequestContext(),
        "",
        True,
        context.hparams_metadata(RequestContext(), ""),
        context.hparams_from_data_provider(RequestContext(), "", None),
    )
    request = api_pb2.ListSessionGroupsRequest(
        slice_size=100,
        include_metrics=True,
        allowed_statuses=list(api_pb2.Status.values()),
        col_params=[api_pb2.ColParams(metric=one.name) for one in experiment.metric_infos],
    )
    handler = list_session_groups.Handler(RequestContext(), context, "", request)
    return experiment, sorted(handler.run().session_groups, key=lambda group: group.name)


@pytest.mark.slow
def test_tensorboard_shows_runs_by_row_and_seed_and_hparams_of_factors_and_headlines_alone(
    study: Path, tmp_path: Path
) -> None:
    board = tmp_path / "a board"
    done = raysl("tensorboard", study, "--storage", study.parent / "store", "--to", board)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"tensorboard --logdir '{board}'"
    assert sorted(read(board).Runs()) == [".", *RUNS]
    provider = MultiplexerDataProvider(read(board), str(board))
    scalars = provider.list_scalars(RequestContext(), experiment_id="", plugin_name="scalars")
    assert {"loss/total", *METRICS} <= scalars["study/plain/seed0"].keys()
    assert sorted(scalars["study/random/seed0"]) == METRICS
    experiment, groups = hparams(board)
    assert {one.name: one.type for one in experiment.hparam_infos} == {
        "pretraining": api_pb2.DATA_TYPE_STRING,
        TEMPERATURE: api_pb2.DATA_TYPE_FLOAT64,
    }
    assert [one.name.tag for one in experiment.metric_infos] == METRICS
    assert [group.name for group in groups] == ["study/cold/warm", "study/plain", "study/random"]
    assert [[session.name for session in group.sessions] for group in groups] == [RUNS[:2], RUNS[2:4], RUNS[4:]]
    assert groups[0].hparams[TEMPERATURE].number_value == 0.5
    assert groups[1].hparams[TEMPERATURE].number_value == 0.1
    assert dict(groups[2].hparams) == {"pretraining": groups[2].hparams["pretraining"]}
    assert groups[2].hparams["pretraining"].string_value == "none"
    frame = results.open(study.parent / "store").frame()
    for group, (pretraining, temperature) in zip(
        groups, [("self_supervised", 0.5), ("self_supervised", 0.1), ("none", None)], strict=True
    ):
        rows = frame[frame["pretraining"] == pretraining]
        rows = rows if temperature is None else rows[rows[TEMPERATURE] == temperature]
        assert len(rows) == 4, "two seeds, two evaluations"
        for one in group.metric_values:
            label, metric = one.name.tag.split(" ")
            expected = rows[rows["evaluation.label"] == label][f"metric.{metric}"].mean()
            assert one.value == pytest.approx(expected, abs=1e-4)
        assert {session.status for session in group.sessions} == {api_pb2.STATUS_SUCCESS}


@pytest.mark.slow
def test_runs_are_linked_and_refreshed_and_other_folders_are_left_alone(study: Path, tmp_path: Path) -> None:
    board, store = tmp_path / "board", study.parent / "store"
    assert raysl("tensorboard", study, "--storage", store, "--to", board).returncode == 0
    before = {path: path.lstat().st_mtime_ns for path in board.rglob("*") if not path.is_dir()}
    links = [path for path in before if path.is_symlink()]
    assert len(links) == 4
    assert all(path.resolve().is_relative_to(store) for path in links)
    assert raysl("tensorboard", study, "--storage", store, "--to", board).returncode == 0
    assert {path: path.lstat().st_mtime_ns for path in board.rglob("*") if not path.is_dir()} == before
    fewer = raysl("tensorboard", study, "--storage", store, "--to", board, "--set", "seeds=[1]")
    assert fewer.returncode == 0, fewer.stderr
    runs = set(read(board).Runs())
    assert {run.rsplit("/", 1)[1] for run in runs - {"."}} == {"seed1"}
    assert not (board / "study" / "plain").exists(), "its folder is empty and gone"
    other = raysl("tensorboard", study, "--storage", store, "--to", study.parent)
    assert (other.returncode, "it holds other files" in other.stderr) == (2, True)
    nothing = raysl("tensorboard", study, "--storage", tmp_path / "none", "--to", tmp_path / "new")
    assert "0 of 6 runs" in nothing.stdout


@pytest.mark.slow
def test_event_files_of_a_bucket_are_copied(study: Path, s3_address: str, tmp_path: Path) -> None:
    storage = f"s3://raysl/boards?scheme=http&endpoint_override={s3_address}"
    here, bucket = place(study.parent / "store"), place(storage)
    for path in here.sizes():
        bucket.write(path, here.read(path) or b"")
    done = raysl("tensorboard", study, "--storage", storage, "--to", tmp_path / "board")
    assert done.returncode == 0, done.stderr
    assert sorted(read(tmp_path / "board").Runs()) == [".", *RUNS]
    assert not [path for path in (tmp_path / "board").rglob("*") if path.is_symlink()]


def test_names_of_rows_become_distinct_folders() -> None:
    rows = ["a/b", "a\\b", "A-B", "SimCLR + reverse", "..", "x" * 200, "", "τ=0.1"]
    names = folder_names(rows)
    assert [names[row] for row in rows[:5]] == ["a-b", "a-b (2)", "A-B (3)", "SimCLR + reverse", "row"]
    assert len({name.casefold() for name in names.values()}) == len(rows)
    assert max(map(len, names.values())) <= 124


def test_factors_are_what_any_row_changes_and_of_each_row_what_it_reads(tmp_path: Path) -> None:
    from raysl.planning.plan_study import factors

    rows = """rows:
  random: {pretraining: none}
  plain: {}
  hot: {objective.contrastive.temperature: 0.5, evaluation.linear.clips: 3}
  moco: {objective.contrastive: {framework: moco, queue_size: 64}}
"""
    text = STUDY[: STUDY.index("rows:")] + rows + STUDY[STUDY.index("baseline:") :]
    found = factors(load_study(write_study(tmp_path, text)))
    trained = {"pretraining": "self_supervised", "objective.contrastive": "simclr"}
    assert found["random"] == {"pretraining": "none", "evaluation.linear.clips": 5}
    assert found["plain"] == {**trained, TEMPERATURE: 0.1, "evaluation.linear.clips": 5}
    assert found["hot"] == {"pretraining": "self_supervised", TEMPERATURE: 0.5, "evaluation.linear.clips": 3}
    assert found["moco"] == {
        **trained,
        "objective.contrastive": "moco (queue_size 64)",
        "evaluation.linear.clips": 5,
    }


@pytest.mark.slow
def test_a_fine_tuning_is_a_run_beside_its_cell(tmp_path: Path) -> None:
    text = STUDY.replace("evaluations: [", "evaluations: [finetune/synthetic, ") + (
        "evaluation: {finetune: {epochs: 2, batch_size: 8, clips: 1}}\n"
    )
    path = write_study(tmp_path, text, SMALL_RECIPE)
    places = ("--storage", tmp_path / "store", "--reports", tmp_path / "reports", "--cache", tmp_path / "cache")
    done = raysl("run", path, "--local", *places, "--format", "md")
    assert done.returncode == 0, done.stdout + done.stderr
    done = raysl("tensorboard", path, "--storage", tmp_path / "store", "--to", tmp_path / "board")
    assert "12 of 12 runs" in done.stdout, done.stderr
    runs = read(tmp_path / "board").Runs()
    assert "study/plain/seed0/finetune-synthetic" in runs
    assert "loss/total" in runs["study/plain/seed0/finetune-synthetic"]["tensors"]
