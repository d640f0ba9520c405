"""A disk that becomes full or read-only in the middle of a run, and a bucket that no longer answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from raysl import results
from raysl.data.fetch import GCS_SECONDS
from raysl.errors import StoreLostError
from raysl.results import place as places
from tests.conftest import empty_folder
from tests.test_machine import may_mount
from tests.work.gate import Gate, Mode
from tests.work.small_disk import on_small_disk, run, table, undisturbed, when_it_waits

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GOES_ON = "and run the same command again: it continues from what is stored"
MENDED_BY = {
    "full": "No space left on device; free some of its disk",
    "read-only": "Read-only file system; have its disk mounted for writing",
}


@may_mount
@pytest.mark.parametrize(
    ("fault", "options", "status"),
    [
        ("full", ["--local"], "1 done, 1 interrupted, 2 missing"),
        pytest.param("read-only", ["--local"], "1 done, ", marks=pytest.mark.long),
        pytest.param("full", ["--local", "--max-concurrent", "2"], "interrupted", marks=pytest.mark.long),
    ],
)
def test_a_run_whose_disk_fails_ends_with_one_error_and_the_next_goes_on(
    fault: str, options: list[str], status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    expected = undisturbed(tmp_path)
    happened = on_small_disk(tmp_path, fault, *options)
    first = happened.first
    assert first.returncode == 1, first
    (said,) = first.stderr.splitlines()
    assert said.startswith(f"error: cannot write {tmp_path}/disk/store/cells/")
    assert said.endswith(f": {MENDED_BY[fault]}, {GOES_ON}")
    assert "ended without a result" not in first.stdout
    assert "missing: " not in first.stdout
    assert status in happened.status
    assert happened.left == []
    assert happened.second.returncode == 0, happened.second
    assert happened.second.stderr == ""
    assert happened.attempts[0] == 2, "it went on"
    assert happened.table == expected


@pytest.fixture
def gate(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    monkeypatch.setattr(places, "_links", {})
    with Gate(s3_address) as gate:
        yield gate


@pytest.mark.parametrize(
    "mode", ["closed", *(pytest.param(mode, marks=pytest.mark.long) for mode in ("errors", "silent"))]
)
def test_a_run_waits_for_a_bucket_that_does_not_answer_for_a_while(mode: Mode, gate: Gate, tmp_path: Path) -> None:
    """Of each kind longer than the bucket's client tries by itself, but for silence: it takes 99 s to notice."""
    expected, at = undisturbed(tmp_path), empty_folder("s3", gate.address)

    def away() -> None:
        gate.mode = mode
        threading.Timer(5.0 if mode == "silent" else 10.0, lambda: setattr(gate, "mode", "open")).start()

    when_it_waits(tmp_path, results.open(at.replace(gate.address, gate.behind)), away)
    done = run(tmp_path, at, "--local")
    assert (done.returncode, done.stderr) == (0, "")
    assert [len(cell.attempts()) for cell in results.open(at).cells()] == [1] * 4
    assert table(tmp_path) == expected


def test_a_run_whose_bucket_is_gone_ends_with_one_error_and_the_next_goes_on(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYSL_STORE_PATIENCE", "3")
    expected, at = undisturbed(tmp_path), empty_folder("s3", gate.address)
    behind = results.open(at.replace(gate.address, gate.behind))
    when_it_waits(tmp_path, behind, lambda: setattr(gate, "mode", "closed"))
    done = run(tmp_path, at, "--local")
    assert done.returncode == 1
    (said,) = (line for line in done.stderr.splitlines() if "heartbeat" not in line)
    assert said.startswith(f"error: cannot write {at.partition('?')[0]}/cells/")
    assert "NETWORK_CONNECTION" in said
    assert said.endswith(f"; see that it is there and answers, {GOES_ON}")
    gate.mode = "open"
    monkeypatch.setattr(places, "_links", {})  # another process knows nothing of it
    done = run(tmp_path, at, "--local")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(len(cell.attempts()) for cell in results.open(at).cells()) == [1, 1, 1, 2]
    assert table(tmp_path) == expected


def test_a_bucket_that_was_asked_in_vain_is_not_asked_again_soon(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends with it, ends at once."""
    monkeypatch.setenv("RAYSL_STORE_PATIENCE", "0")
    store = results.open(empty_folder("s3", gate.address))
    store.place.write("x", b"1")
    gate.mode = "closed"
    with pytest.raises(StoreLostError, match=r"cannot read .*/x: .*NETWORK_CONNECTION"):
        store.place.read("x")
    gate.mode = "open"
    with pytest.raises(StoreLostError, match=r"cannot delete .*/x: .*NETWORK_CONNECTION"):
        store.place.delete("x")
    monkeypatch.setattr(places, "_links", {})
    assert store.place.read("x") == b"1"


@pytest.mark.parametrize("mode", ["closed", "errors"])
def test_googles_storage_that_does_not_answer_is_lost_too(
    mode: Mode, gcs_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself its client would try for a quarter of an hour."""
    monkeypatch.setenv("RAYSL_STORE_PATIENCE", "0")
    monkeypatch.setattr(places, "_links", {})
    with Gate(gcs_address) as gate:
        store = results.open(f"{empty_folder('gs', gate.address)}&retry_limit_seconds=1")
        store.place.write("x", b"1")
        gate.mode = mode
        with pytest.raises(StoreLostError, match=rf"cannot read .*/x: .*UNAVAILABLE[^{{]*; see .*, {GOES_ON}"):
            store.place.read("x")


def test_googles_client_is_told_how_long_to_try() -> None:
    address = "gs://anonymous@bucket/x"
    told, _ = fs.FileSystem.from_uri(f"{address}?retry_limit_seconds={GCS_SECONDS}")
    assert results.open(address).place.filesystem == told
    assert fs.FileSystem.from_uri(address)[0] != told
