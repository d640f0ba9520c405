"""Checkpoints: a partly written one never looks complete."""

from __future__ import annotations

import pytest

from raysl.errors import StorageError
from raysl.results import CellFolder, Store
from raysl.results.place import Place


def test_the_newest_checkpoint_over_all_attempts(cell: CellFolder) -> None:
    assert cell.latest_checkpoint() is None
    first, second = cell.start_attempt(), cell.start_attempt()
    first.save_checkpoint(30, b"thirty")
    second.save_checkpoint(20, b"twenty")
    assert cell.latest_checkpoint() == (30, b"thirty")
    second.save_checkpoint(40, b"forty")
    assert cell.latest_checkpoint() == (40, b"forty")


def test_two_are_kept(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    for step in (0, 5, 10, 100):
        attempt.save_checkpoint(step, b"%d" % step)
    assert attempt.checkpoint_steps() == [10, 100]
    assert len(attempt.place.sizes("checkpoints")) == 4


def test_a_done_cell_keeps_one_and_what_nobody_goes_on_from_is_deleted(store: Store) -> None:
    """Each is a whole network with its optimizer; SSTL's bank is a gigabyte in each.

    An attempt that was killed a moment ago looks alive; one that is alive goes on without them, and ends with none.
    """
    cell = store.folder("a", "b")
    cell.write_config({})
    killed, ended, alive, last = (cell.start_attempt() for _ in range(4))
    for attempt in (killed, ended, alive, last):
        attempt.save_checkpoint(5, b"five")
        attempt.save_checkpoint(10, b"ten")
    ended.place.write("checkpoints/000000015.checkpoint", b"cut short")
    ended.end()
    killed.forget()
    cell.mark_done(last, {})
    assert [attempt.checkpoint_steps() for attempt in (killed, ended, alive, last)] == [[], [], [], [10]]
    assert not ended.place.sizes("checkpoints")
    assert cell.final_checkpoint() == b"ten"
    assert cell.state().status == "done"
    alive.save_checkpoint(15, b"fifteen")
    cell.mark_done(alive, {})
    assert [attempt.checkpoint_steps() for attempt in (alive, last)] == [[], [10]]


def test_an_attempt_that_goes_on_keeps_two_to_resume_from(cell: CellFolder) -> None:
    first, second, third, later = (cell.start_attempt() for _ in range(4))
    for attempt, steps in ((first, (5, 10)), (second, (15, 20)), (later, (90,))):
        for step in steps:
            attempt.save_checkpoint(step, b"weights")
    cell.drop_older(third)
    assert (first.checkpoint_steps(), second.checkpoint_steps()) == ([5, 10], [15, 20]), "it has saved none"
    third.save_checkpoint(25, b"weights")
    cell.drop_older(third)
    assert (first.checkpoint_steps(), second.checkpoint_steps()) == ([], [20])
    third.save_checkpoint(30, b"weights")
    cell.drop_older(third)
    assert [one.checkpoint_steps() for one in (first, second, third)] == [[], [], [25, 30]]
    assert later.checkpoint_steps() == [90], "another run may be further"


def test_a_cell_is_done_where_its_old_checkpoints_cannot_be_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cell = store.folder("a", "b")
    cell.write_config({})
    attempt = cell.start_attempt()
    attempt.save_checkpoint(1, b"one")
    attempt.save_checkpoint(2, b"two")

    def refuse(place: Place, path: str) -> None:
        raise StorageError(f"cannot delete {path}: Permission denied")

    monkeypatch.setattr(Place, "delete", refuse)
    cell.mark_done(attempt, {})
    assert cell.state().status == "done"
    assert "checkpoints that are not needed stay: cannot delete" in caplog.text


def test_a_checkpoint_without_marker_is_not_there(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    attempt.save_checkpoint(1, b"one")
    attempt.place.write("checkpoints/000000002.checkpoint", b"two")
    assert cell.latest_checkpoint() == (1, b"one")


@pytest.mark.parametrize("data", [b"", b"tw", b"tw0", b"twoo"])
def test_a_checkpoint_that_is_not_what_its_marker_promises_is_left_out(
    cell: CellFolder, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = cell.start_attempt()
    attempt.save_checkpoint(1, b"one")
    attempt.save_checkpoint(2, b"two")
    attempt.place.write("checkpoints/000000002.checkpoint", data)
    assert cell.latest_checkpoint() == (1, b"one")
    assert "checkpoints/000000002.checkpoint has" in caplog.text


@pytest.mark.parametrize("marker", [b"", b'{"step": 2, "by', b"[]", b"{}"])
def test_a_checkpoint_whose_marker_is_not_whole_is_left_out(cell: CellFolder, marker: bytes) -> None:
    attempt = cell.start_attempt()
    attempt.save_checkpoint(1, b"one")
    attempt.save_checkpoint(2, b"two")
    attempt.place.write("checkpoints/000000002.json", marker)
    assert cell.latest_checkpoint() == (1, b"one")


def test_a_marker_without_its_checkpoint_is_left_out(cell: CellFolder) -> None:
    attempt = cell.start_attempt()
    attempt.save_checkpoint(2, b"two")
    attempt.place.delete("checkpoints/000000002.checkpoint")
    assert cell.latest_checkpoint() is None


def test_nothing_is_no_checkpoint(cell: CellFolder) -> None:
    with pytest.raises(ValueError, match="step 3, 0 bytes"):
        cell.start_attempt().save_checkpoint(3, b"")
