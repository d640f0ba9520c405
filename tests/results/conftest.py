"""A store on a local disk, one on an S3 server, one on Google's storage; every contract test runs on all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import raysl.results as results
from tests.conftest import SERVERS, empty_folder


@pytest.fixture(params=["local", *SERVERS])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "local":
        return str(tmp_path / "store")
    return empty_folder(request.param, request.getfixturevalue(SERVERS[request.param]))


@pytest.fixture
def store(storage: str) -> results.Store:
    return results.open(storage)


@pytest.fixture
def cell(store: results.Store) -> results.CellFolder:
    """A cell with a configuration, nothing computed."""
    folder = store.folder("c0ffee", "d00d")
    folder.write_config({"pretraining": "self_supervised", "training": {"seed": 0, "epochs": 2}})
    return folder
