"""Fixtures that the whole suite shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# Tests run beside each other, and their networks are small. Cells too take no more threads than this says.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

BUCKET = "raysl"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """host:port of an S3 server that runs in this process, with one empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real videos and split files (see README, "Tests"); tests that need it are skipped without it."""
    given = os.environ.get("RAYSL_TEST_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real test data absent: set RAYSL_TEST_DATA to a folder that holds it")
    return folder
