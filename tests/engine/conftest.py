"""One local Ray and one rendered set for all tests of the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from raysl.data.places import Places


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, one of them has the Ray that several tests use (``--dist loadgroup``)."""
    for item in items:
        if "local_ray" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("local_ray"))


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places({}, tmp_path_factory.mktemp("engine-cache"), cache_gigabytes=0.1)


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray of two CPUs that ``run_on_cluster`` finds running."""
    from raysl.engine.cluster import cluster

    # Cells of tests end before the 10 s of its default.
    os.environ.update({"RAY_metrics_report_interval_ms": "500"})
    with cluster(cpus=2):
        yield
