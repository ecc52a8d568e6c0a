"""A real S3 server (ministack) on loopback, one for the test session, with a fresh bucket and environment per test."""

from __future__ import annotations

import importlib.util
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

START_SECONDS = 60.0
SECRET = "s3-server-of-the-tests-secret"
_bucket_numbers = itertools.count()


@dataclass(frozen=True)
class S3Server:
    """A running server and an empty bucket on it; the test's environment leads there."""

    endpoint_url: str
    bucket: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}"


@pytest.fixture(scope="session")
def s3_endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's server. Tests ask for `s3_server`."""
    if importlib.util.find_spec("ministack") is None:
        pytest.skip("ministack is not installed: pip install -e '.[dev]'")
    log = tmp_path_factory.mktemp("ministack") / "server.log"
    port = _free_port()
    environment = {
        **os.environ,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "s3",
        "S3_PERSIST": "0",
        "PERSIST_STATE": "0",
        "LOG_LEVEL": "WARNING",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, stdout=output, stderr=output, cwd=log.parent
        )
    try:
        _wait_until_ready(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


@pytest.fixture(scope="session")
def _s3_client(s3_endpoint_url: str) -> S3Client:
    session = boto3.session.Session("tests", SECRET, region_name="us-east-1")
    return session.client("s3", endpoint_url=s3_endpoint_url)


@pytest.fixture
def s3_server(s3_endpoint_url: str, _s3_client: S3Client, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Server, empty bucket, and `AWS_*` variables that lead there; nothing of the user's own set-up is read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environment = {
        "AWS_ENDPOINT_URL": s3_endpoint_url,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"tests-{next(_bucket_numbers):05d}"
    _s3_client.create_bucket(Bucket=bucket)
    return S3Server(s3_endpoint_url, bucket)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"ministack did not start within {START_SECONDS:.0f} s; its log:\n{log.read_text()[-2000:]}")
