"""One local Ray and one rendered set for all tests of the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from raysl.data.places import Places


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
