"""A client belongs to one thread, one endpoint and one timing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.object_store.s3_client import S3Timing, s3_client
from tests.s3_server import S3Server


def test_threads_have_their_own_clients(s3_server: S3Server) -> None:
    here = s3_client(S3Timing())
    assert s3_client(S3Timing()) is here
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(s3_client, S3Timing()).result() is not here


def test_another_endpoint_or_timing_needs_another_client(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    here = s3_client(S3Timing())
    assert here.meta.endpoint_url == s3_server.endpoint_url
    slow = s3_client(S3Timing(max_attempts=7, read_timeout_seconds=99))
    config = vars(slow.meta.config)["_user_provided_options"]
    assert (config["read_timeout"], config["retries"]["total_max_attempts"]) == (99, 7)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert s3_client(S3Timing()).meta.endpoint_url == "http://127.0.0.1:9"
