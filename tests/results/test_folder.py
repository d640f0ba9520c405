"""A cell's folder: how its state follows from what is, wholly or partly, written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from raysl import results
from raysl.errors import ObstructedError, StorageError
from raysl.results import CellFolder, Store
from raysl.results.folder import HEARTBEAT_LIMIT


def test_configuration_comes_back_as_written(store: Store) -> None:
    resolved = {
        "data": {"name": "synthetic", "classes": ["ä", "1e-6", "no"]},
        "schedule": None,
        "rate": 1e-6,
        "big": 12345678901234,
        "augment": {"flip": False},
    }
    cell = store.folder("a", "b")
    assert cell.config() is None
    cell.write_config(resolved)
    assert cell.config() == resolved
    assert list(cell.config() or {}) == list(resolved)


def test_a_configuration_is_read_key_by_key_and_whatever_it_holds_comes_back(store: Store) -> None:
    shared = ["one", "list"]
    long = "words that are wrapped, " * 20
    configurations: list[dict[str, object]] = [
        {},
        {"a": {"b": [[1, 2], {"c: d": None}], "text": "two\nlines\n\n# no comment: it is text\n"}, "z": long},
        {"one": shared, "other": shared, "é": "- dash", "1e3": '"quoted"', "? odd": {"x" * 200: 1}, "n": -1.5},
    ]
    for number, configuration in enumerate(configurations):
        for cell in (store.folder(f"{number}", "a"), store.folder(f"{number}", "b")):
            cell.write_config(configuration)
            found = cell.config()
            assert found == configuration
            assert found is not None
            for value in found.values():
                if isinstance(value, dict):
                    value.clear()  # what a caller does with it is no other cell's


def test_provenance_comes_back(cell: CellFolder) -> None:
    assert cell.provenance() is None
    cell.write_provenance({"git_commit": "abc", "loss": float("nan"), "unreadable": 3})
    assert cell.provenance() == {"git_commit": "abc", "loss": "nan", "unreadable": 3}


def test_states_of_a_cell_that_is_computed(store: Store) -> None:
    cell = store.folder("a", "b")
    assert cell.state().status == "missing"
    cell.write_config({"pretraining": "none"})
    assert cell.state().status == "missing"
    attempt = cell.start_attempt()
    assert cell.state().status == "running"
    attempt.heartbeat({"epoch": 3})
    assert (cell.state().status, cell.state().progress) == ("running", {"epoch": 3})
    cell.mark_done(attempt, {"minutes": 1.5})
    assert (cell.state().status, cell.state().progress) == ("done", {"minutes": 1.5})


def test_silence_means_interrupted(cell: CellFolder) -> None:
    cell.start_attempt().heartbeat({"epoch": 1})
    now = cell.place.now()
    assert cell.state(now + HEARTBEAT_LIMIT / 2).status == "running"
    assert cell.state(now + 2 * HEARTBEAT_LIMIT).status == "interrupted"
    assert cell.state(now - 2 * HEARTBEAT_LIMIT).status == "interrupted", "a clock that is wrong keeps nothing alive"


def test_an_attempt_that_ended_is_interrupted_at_once(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    attempt.end({"epoch": 2})
    assert (cell.state().status, cell.state().progress) == ("interrupted", {"epoch": 2})
    other = cell.start_attempt()
    attempt.end({})
    assert cell.state().status == "running"
    other.end()
    assert cell.state().status == "interrupted"


def test_failure_is_a_result_until_it_is_cleared(cell: CellFolder) -> None:
    cell.start_attempt().end()
    cell.mark_failed("the loss is NaN at step 12", {"step": 12})
    state = cell.state()
    assert (state.status, state.reason, state.progress) == ("failed", "the loss is NaN at step 12", {"step": 12})
    cell.clear_failure()
    cell.clear_failure()
    assert cell.state().status == "interrupted"


def test_attempts_have_folders_of_their_own_and_the_first_to_finish_stays(cell: CellFolder) -> None:
    first, second = cell.start_attempt(), cell.start_attempt()
    assert first.name != second.name
    first.write_curves(pd.DataFrame({"step": [1], "loss": [1.0]}))
    second.write_curves(pd.DataFrame({"step": [1], "loss": [2.0]}))
    first.save_checkpoint(4, b"first")
    second.save_checkpoint(9, b"second")
    cell.mark_done(first, {"by": "first"})
    cell.mark_done(second, {"by": "second"})
    assert cell.state().progress == {"by": "first"}
    assert cell.final_checkpoint() == b"first"
    curves = cell.curves()
    assert curves is not None
    assert curves["loss"].tolist() == [1.0]


def test_curves_are_the_newest_until_one_attempt_is_done(cell: CellFolder) -> None:
    assert cell.curves() is None
    older = cell.start_attempt()
    older.write_curves(pd.DataFrame({"step": [1, 2], "loss": [0.1 + 0.2, 1e-17]}))
    curves = cell.curves()
    assert curves is not None
    assert curves["loss"].tolist() == [0.1 + 0.2, 1e-17], "every float as it was"
    for attempt in cell.attempts():
        attempt.place.write("curves.csv", b"")
    assert cell.curves() is None, "an empty file is no curve"


def rows(first: int, last: int, **columns: object) -> pd.DataFrame:
    steps = range(first, last + 1)
    return pd.DataFrame({"step": steps, "loss": [1 / step for step in steps], **columns})


def test_curves_in_parts_are_read_as_one(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    first, second = attempt.write_part(rows(1, 3)), attempt.write_part(rows(4, 4))
    assert (
        attempt.place.sizes("curves").keys()
        == {first, second}
        == {f"curves/00000000{n}.csv" for n in ("1-000000003", "4-000000004")}
    )
    attempt.write_part(rows(5, 9, **{"monitor/spread": [0.5, None, None, None, 0.25]}))
    found = cell.curves()
    assert found is not None
    pd.testing.assert_frame_equal(
        found,
        pd.concat([rows(1, 4), rows(5, 9, **{"monitor/spread": [0.5, None, None, None, 0.25]})], ignore_index=True),
    )
    numbers = cell.curves_of(("step", "monitor/"))
    assert numbers is not None
    assert numbers["step"].tolist() == list(range(1, 10))
    until = cell.curves_until(attempt.name, 4)
    assert (until["loss"].tolist(), len(until["monitor/spread"])) == ([1, 1 / 2, 1 / 3, 1 / 4], 4)
    attempt.write_curves(rows(1, 9), [first, second])
    assert cell.curves_until(attempt.name, 9).keys() == {"step", "loss"}, "the whole file counts"


def test_a_part_counts_until_it_is_in_a_larger_one_and_no_longer(cell: CellFolder) -> None:
    """A crash between the larger part and the deletion of those in it leaves both."""
    attempt = cell.start_attempt()
    for first, last in ((1, 4), (5, 8), (1, 8), (9, 9)):
        attempt.write_part(rows(first, last))
    found = cell.curves()
    assert found is not None
    assert found["step"].tolist() == list(range(1, 10))


@pytest.mark.parametrize("content", [b"", b"step,loss\n1", b"step,loss\nx,y\n", b"\x00\n"])
def test_a_damaged_part_is_named(cell: CellFolder, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    attempt = cell.start_attempt()
    path = attempt.write_part(rows(1, 3))
    attempt.write_part(rows(4, 5))
    attempt.place.write(path, content)
    assert cell.curves() is None
    assert cell.curves_until(attempt.name, 5) == {}
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [f"attempts/{attempt.name}/{path}" in said for said in warnings] == [True, True]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("cell.yaml", b""),
        ("cell.yaml", b"pretraining: [self"),
        ("cell.yaml", b"\xff\xfe\x00"),
        ("cell.yaml", b"pretraining: self_supervised\n"),
        ("done.json", b""),
        ("done.json", b'{"attempt": "2026'),
        ("done.json", b"{}"),
        ("done.json", b"[]"),
        ("failed.json", b""),
        ("failed.json", b'{"reason": 3}'),
    ],
)
def test_what_is_unreadable_is_broken_and_said(cell: CellFolder, path: str, data: bytes) -> None:
    cell.start_attempt()
    cell.place.write(path, data)
    state = cell.state()
    assert state.status == "broken"
    assert path in state.reason


def test_a_configuration_cut_at_any_line_is_never_taken_for_whole(cell: CellFolder) -> None:
    whole = cell.place.read("cell.yaml") or b""
    for end in [0, *(index + 1 for index, byte in enumerate(whole[:-1]) if byte == ord("\n")), len(whole) - 1]:
        cell.place.write("cell.yaml", whole[:end])
        assert cell.state().status == "broken"
        with pytest.raises(StorageError, match=r"cell\.yaml"):
            cell.config()


def test_a_folder_without_configuration_is_broken(store: Store) -> None:
    cell = store.folder("a", "b")
    cell.start_attempt()
    assert cell.state().status == "broken"
    assert "cell.yaml is missing" in cell.state().reason


def test_done_without_its_checkpoint_is_broken_until_reopened(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    attempt.save_checkpoint(7, b"weights")
    cell.mark_done(attempt, {})
    assert cell.final_checkpoint() == b"weights"
    attempt.place.write("checkpoints/000000007.checkpoint", b"weig")
    assert cell.state().status == "broken"
    with pytest.raises(StorageError, match="final checkpoint"):
        cell.final_checkpoint()
    attempt.end()
    cell.reopen()
    assert cell.state().status == "interrupted"
    again = cell.start_attempt()
    again.save_checkpoint(7, b"weights")
    cell.mark_done(again, {})
    assert cell.final_checkpoint() == b"weights"


def test_a_half_written_heartbeat_is_no_heartbeat(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    attempt.place.write("heartbeat.json", b'{"time": 17')
    assert cell.state().status == "interrupted"


def test_unreadable_provenance_is_an_error_that_names_it(cell: CellFolder) -> None:
    cell.place.write("provenance.json", b"{")
    with pytest.raises(StorageError, match=r"provenance\.json"):
        cell.provenance()


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _link_to_itself(file: Path) -> None:
    file.symlink_to(file.name)


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (_pipe, "there is a special file instead of a file; remove it"),
        (_link_to_itself, "there is a link to itself instead of a file; remove it"),
        (Path.mkdir, "there is a folder instead of a file; remove it"),
    ],
)
@pytest.mark.parametrize("name", ["cell.yaml", "done.json"])
def test_what_stands_in_a_files_place_is_named_and_not_waited_for(
    tmp_path: Path, name: str, put: Callable[[Path], None], message: str
) -> None:
    cell = results.open(tmp_path).folder("a", "b")
    cell.write_config({"pretraining": "none"})
    cell.mark_done(cell.start_attempt(), {})
    file = tmp_path / "cells" / "a-b" / name
    file.unlink()
    put(file)
    state = cell.state()
    assert (state.status, state.by_hand) == ("broken", True)
    assert state.reason.endswith(f"{name}: {message}")


def test_a_cell_of_folders_alone_says_so(tmp_path: Path) -> None:
    for name in ("cell.yaml", "done.json", "provenance.json"):
        (tmp_path / "cells" / "a-b" / name).mkdir(parents=True)
    assert (
        results.open(tmp_path)
        .folder("a", "b")
        .state()
        .reason.endswith("cell.yaml: there is a folder instead of a file; remove it")
    )


@pytest.mark.parametrize("content", [f"{'[' * 20_000}{']' * 20_000}", "9" * 5000])
def test_what_no_parser_takes_is_named(tmp_path: Path, content: str) -> None:
    cell = results.open(tmp_path).folder("a", "b")
    cell.write_config({"pretraining": "none"})
    file = tmp_path / "cells" / "a-b" / "done.json"
    file.write_text(content)
    assert cell.state().reason.startswith("cells/a-b/done.json is not whole (")
    (tmp_path / "cells" / "a-b" / "cell.yaml").write_text(content)
    assert re.match(r"cells/a-b/cell\.yaml (is not valid YAML|was cut short or edited)", cell.state().reason)


@pytest.mark.parametrize("name", ["cells", "cells/a-b", "cells/a-b/attempts"])
def test_a_file_in_a_folders_place_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    cell = results.open(tmp_path).folder("a", "b")
    with pytest.raises(ObstructedError, match=rf"{tmp_path / name} is a file, where a folder should be; remove it"):
        cell.place.write("attempts/x/heartbeat.json", b"{}")
