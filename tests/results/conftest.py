"""One store on a local disk, one on an S3 server that runs in this process; every contract test runs on both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

import raysl.results as results

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET = "raysl"


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """host:port of an S3 server with one empty bucket."""
    patch = pytest.MonkeyPatch()
    for name, value in CREDENTIALS.items():
        patch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
    yield f"{host}:{port}"
    server.stop()
    patch.undo()


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
