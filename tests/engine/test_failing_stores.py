"""A disk that becomes full in the middle of a run on Ray, and a bucket that no longer answers."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from raysl import results
from raysl.results import Store
from tests.conftest import empty_folder
from tests.engine.heads import Head, head
from tests.test_machine import may_mount
from tests.work.gate import Gate
from tests.work.small_disk import command, on_small_disk, table, undisturbed, when_it_waits
from tests.work.test_failing_stores import GOES_ON

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]


@pytest.mark.long
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
        assert "No space left on device; free some of its disk, and run the same command again" in said
        assert "ended without a result" not in first.stdout
        assert "1 done, 1 interrupted, 2 missing" in happened.status
        assert happened.left == []
        assert happened.second.returncode == 0, happened.second
        assert happened.attempts == [2, 1, 1, 1]
        assert happened.table == expected


@dataclass(frozen=True)
class Bucket:
    """A bucket behind a gate, and a Ray of two CPUs.

    Attributes:
        expected: the table.
    """

    gate: Gate
    on: Head
    folder: Path
    expected: str

    def run(self, at: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The study on a store in the bucket, as a user of the cluster types it."""
        on = replace(self.on, environment={**self.on.environment, **environment})
        return on.raysl(*command(self.folder, at, "--address", on.address), cwd=self.folder)

    def behind(self, at: str) -> Store:
        """The store, past the gate."""
        return results.open(at.replace(self.gate.address, self.gate.behind))

    def attempts(self, at: str) -> list[int]:
        return sorted(len(cell.attempts()) for cell in self.behind(at).cells())


@pytest.fixture(scope="module")
def bucket(s3_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    folder = tmp_path_factory.mktemp("bucket")
    expected, options = undisturbed(folder), ("--num-cpus=2", "--include-dashboard=false")
    with Gate(s3_address) as gate, head({"RAY_AUTH_MODE": "disabled"}, *options) as on:
        yield Bucket(gate, on, folder, expected)


@pytest.mark.long
def test_a_run_on_ray_waits_for_a_bucket_that_does_not_answer_for_a_while(bucket: Bucket) -> None:
    """Longer than its client tries by itself. Tune keeps its own files in the bucket, too."""
    gate, at = bucket.gate, empty_folder("s3", bucket.gate.address)

    def away() -> None:
        gate.mode = "closed"
        threading.Timer(10.0, lambda: setattr(gate, "mode", "open")).start()

    when_it_waits(bucket.folder, bucket.behind(at), away)
    done = bucket.run(at)
    assert (done.returncode, done.stderr) == (0, "")
    assert bucket.attempts(at) == [1] * 4
    assert table(bucket.folder) == bucket.expected


@pytest.mark.long
def test_a_run_on_ray_whose_bucket_is_gone_ends_with_one_error_and_the_next_goes_on(bucket: Bucket) -> None:
    gate, at = bucket.gate, empty_folder("s3", bucket.gate.address)
    (bucket.folder / "go").unlink(missing_ok=True)
    when_it_waits(bucket.folder, bucket.behind(at), lambda: setattr(gate, "mode", "closed"))
    done = bucket.run(at, RAYSL_STORE_PATIENCE="3")
    gate.mode = "open"
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    said = done.stderr.strip()
    told = [f"error: cannot {asked} {at.partition('?')[0]}/cells/" for asked in ("read", "write")]
    assert said.startswith(tuple(told)), "whatever is asked of it first"
    assert "NETWORK_CONNECTION" in said
    assert said.endswith(f"; see that it is there and answers, {GOES_ON}")
    assert "ended without a result" not in done.stdout
    done = bucket.run(at)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(bucket.attempts(at)) == 2, "it went on"
    assert table(bucket.folder) == bucket.expected
