"""Fixtures that the whole suite shares."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import torch

# Tests run beside each other, and their networks are small. Cells too take no more threads than this says.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["RAYSL_FORMAT"] = "md,csv"  # to draw the figures of a run takes longer than the run; commands inherit it
torch.set_num_threads(1)

BUCKET = "raysl"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


SERVERS = {"s3": "s3_address", "gs": "gcs_address"}
"""The fixture that starts a server, by the scheme of its addresses."""


def empty_folder(scheme: str, server: str) -> str:
    """The address of a folder in the bucket of a server, in which nothing is yet."""
    user = "anonymous@" if scheme == "gs" else ""
    return f"{scheme}://{user}{BUCKET}/{uuid.uuid4().hex}?scheme=http&endpoint_override={server}"


@pytest.fixture
def uint8_resize(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision resizes uint8 as uint8, as raysl does: up to 0.23 it took float32 on CPUs with AVX512."""
    function = "torchvision.transforms.v2.functional._geometry._do_native_uint8_resize_on_cpu"
    monkeypatch.setattr(function, lambda interpolation: True)


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
def gcs_address() -> Iterator[str]:
    """host:port of a server that speaks as Google's storage does, with one empty bucket.

    It is a process of its own: pyarrow does not always let another thread of its process answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", f"--port={port}"]
    options = ["--in-memory", f"--default-bucket={BUCKET}"]
    with subprocess.Popen([*start, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert server.poll() is None
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
        server.terminate()


def pytest_itemcollected(item: pytest.Item) -> None:
    """The long tests of a contract (`raysl.testing.component.takes_seconds`) bear no mark of this project's."""
    if getattr(getattr(item, "function", None), "takes_seconds", False):
        item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported meanwhile stays: to look for garbage in it took more than a quarter of the time, and goes on to
    take some at every later look if it is not set aside."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a module's tests leave behind (imports, caches) is set aside too: each cell ends with a look for garbage."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or extensions that count what they made call it leaked


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real videos and split files (see docs/commands.md); tests that need it are skipped without it."""
    given = os.environ.get("RAYSL_TEST_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real test data absent: set RAYSL_TEST_DATA to a folder that holds it")
    return folder
