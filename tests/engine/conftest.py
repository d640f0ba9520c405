"""One local Ray and one rendered set for all tests of the engine."""

from __future__ import annotations

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

    with cluster(cpus=2):
        yield
