"""A disk that becomes full in the middle of a run on Ray."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.test_machine import may_mount
from tests.work.small_disk import on_small_disk, undisturbed

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]


@may_mount
def test_a_run_on_ray_whose_disk_is_full_ends_with_one_error_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a cluster Tune keeps its own files in the store."""
    with tempfile.TemporaryDirectory(prefix="t") as name:  # pytest's own is too long for Ray's sockets
        folder = Path(name)
        monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
        expected = undisturbed(folder)
        happened = on_small_disk(folder, "full", "--join", "--max-concurrent", "1")
        first = happened.first
        assert first.returncode == 1, first
        (said,) = first.stderr.splitlines()
        assert said.startswith(f"error: cannot write {folder}/disk/store/cells/")
        assert "No space left on device; free some of its disk, and give the same command again" in said
        assert "ended without a result" not in first.stdout
        assert "1 done, 1 interrupted, 2 missing" in happened.status
        assert happened.left == []
        assert happened.second.returncode == 0, happened.second
        assert happened.attempts == [2, 1, 1, 1]
        assert happened.table == expected
