"""The manifest: one full sequential decode of every video, parallel and resumable; the same pass fills the cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

from raysl.data import decode_torchcodec
from raysl.data.catalog import Catalog
from raysl.data.decode_decord import say_if_absent
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_pool import Job, Work, run_jobs
from raysl.data.manifest_store import RowStore, Stamp
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.errors import DataError

Progress = Callable[[int, int], None]


def build_manifest(
    catalog: Catalog,
    root: Path,
    *,
    folder: Path,
    processes: int | None = None,
    fill: FrameCache | None = None,
    progress: Progress | None = None,
    compare: bool = False,
) -> Manifest:
    """Decodes videos that no earlier run decoded, and adds those to the cache that are not in it.

    Rows are stored below ``folder`` as they finish, by path, size and time of change, so a killed run continues. If
    several processes call it at once, one decodes and the others wait for it.

    Args:
        processes: that decode; None: one for each CPU of this process.
        progress: called with the number of videos done and of all.
        compare: decode also those that were not yet compared with the torchcodec that is installed here.

    Raises:
        DataError: a file is absent, or the file system fails. A video that cannot be decoded is a row with the reason.
    """
    say_if_absent()
    store = RowStore(folder, root)
    with store.locked():
        stamps = {video.path: _stamp(root / video.path) for video in catalog.videos}
        kept = store.read()
        known = {path: kept[path][1] for path, stamp in stamps.items() if path in kept and kept[path][0] == stamp}
        if compare and (versions := decode_torchcodec.versions()):
            known = {path: row for path, row in known.items() if row.error or row.torchcodec.startswith(versions)}
        jobs = [Job(path) for path in stamps if path not in known]
        jobs += _fill_jobs(known.values(), fill)

        def finished(job: Job, row: ManifestRow) -> None:
            store.show_work()
            if job.row is None:
                known[row.path] = row
                store.add(stamps[row.path], row)

        _run(Work(root, fill), jobs, len(stamps), processes, progress, finished)
    return Manifest(catalog.name, tuple(known[video.path] for video in catalog.videos))


def known_manifest(catalog: Catalog, root: Path, folder: Path) -> Manifest | None:
    """The manifest of earlier runs; None if a video is absent, changed or not decoded yet."""
    kept = RowStore(folder, root).read()
    rows = []
    for video in catalog.videos:
        try:
            stamp = _stamp(root / video.path)
        except DataError:
            return None
        if video.path not in kept or kept[video.path][0] != stamp:
            return None
        rows.append(kept[video.path][1])
    return Manifest(catalog.name, tuple(rows))


def with_local_decoders(manifest: Manifest, root: Path, folder: Path) -> Manifest:
    """A manifest from elsewhere, with what this machine found of torchcodec when it decoded the same files."""
    if not decode_torchcodec.versions():
        return manifest
    here = {row.fingerprint: row.torchcodec for _, row in RowStore(folder, root).read().values()}
    rows = (replace(row, torchcodec=here.get(row.fingerprint, "")) for row in manifest.rows)
    return Manifest(manifest.catalog, tuple(rows))


def fill_cache(
    manifest: Manifest,
    root: Path,
    fill: FrameCache,
    *,
    folder: Path,
    processes: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Fills the cache for a known manifest, within the budget.

    If several processes of a node call it at once, one fills it, and the others wait for it.

    Args:
        folder: of the manifests, which has the lock.

    Raises:
        DataError: a file is absent, or is not the one of the manifest.
    """
    if not _fill_jobs(manifest.rows, fill):
        return
    store = RowStore(folder, root)
    with store.locked():
        jobs = _fill_jobs(manifest.rows, fill)
        _run(Work(root, fill), jobs, len(manifest.rows), processes, progress, lambda job, row: store.show_work())


def _fill_jobs(rows: Iterable[ManifestRow], fill: FrameCache | None) -> list[Job]:
    """The first absent videos that fit into the budget together, so that no more is decoded than can be stored."""
    if fill is None:
        return []
    absent = fill.lacking(row for row in rows if row.error is None)
    first = next(absent, None)
    if first is None:
        return []
    fill.sweep()  # what it removes is room
    room, jobs = fill.room(), list[Job]()
    for row in chain((first,), absent):
        room -= fill.bytes_of(row)
        if room < 0:
            break
        jobs.append(Job(row.path, row))
    return jobs


def _run(
    work: Work,
    jobs: list[Job],
    videos: int,
    processes: int | None,
    progress: Progress | None,
    finished: Callable[[Job, ManifestRow], None],
) -> None:
    done = videos - len(jobs)
    if progress is not None:
        progress(done, videos)
    for job, row in run_jobs(work, jobs, processes or len(os.sched_getaffinity(0))):
        finished(job, row)
        done += 1
        if progress is not None:
            progress(done, videos)


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}; is the data set's root right?") from error
    return found.st_size, found.st_mtime_ns
