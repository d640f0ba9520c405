"""One store on a local disk, one on an S3 server; every contract test runs on both."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

import raysl.results as results
from tests.conftest import BUCKET


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "local":
        return str(tmp_path / "store")
    address = request.getfixturevalue("s3_address")
    return f"s3://{BUCKET}/{uuid.uuid4().hex}?scheme=http&endpoint_override={address}"


@pytest.fixture
def store(storage: str) -> results.Store:
    return results.open(storage)


@pytest.fixture
def cell(store: results.Store) -> results.CellFolder:
    """A cell with a configuration, nothing computed."""
    folder = store.folder("c0ffee", "d00d")
    folder.write_config({"pretraining": "self_supervised", "training": {"seed": 0, "epochs": 2}})
    return folder
