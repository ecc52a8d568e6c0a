"""The options are what delta-rs needs to reach the store that boto3 reaches."""

from __future__ import annotations

import deltalake
import pyarrow as pa
import pytest

from pipeline.object_store.delta_options import delta_storage_options
from pipeline.object_store.s3_store import S3Store
from tests.s3_server import SECRET, S3Server


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_folder_needs_none() -> None:
    assert delta_storage_options("/catalog") is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"AWS_REGION": "us-east-1"}),
        ({"AWS_REGION": "eu-west-1"}, {}),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, {}),
        (
            {"AWS_ENDPOINT_URL": "http://host:9000", "AWS_REGION": "x"},
            {"AWS_ENDPOINT_URL": "http://host:9000", "AWS_ALLOW_HTTP": "true"},
        ),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "https://b", "AWS_REGION": "x"},
            {"AWS_ENDPOINT_URL": "https://b"},
        ),
    ],
)
def test_options_follow_the_environment(
    bare_environment: pytest.MonkeyPatch, environment: dict[str, str], expected: dict[str, str]
) -> None:
    for name, value in environment.items():
        bare_environment.setenv(name, value)
    assert delta_storage_options("s3://bucket/table") == expected


def test_delta_writes_where_the_store_reads(s3_server: S3Server) -> None:
    uri = f"{s3_server.uri}/table"
    options = delta_storage_options(uri)
    assert SECRET not in str(options)
    deltalake.write_deltalake(uri, pa.table({"id": [1, 2, 3]}), storage_options=options)
    assert deltalake.DeltaTable(uri, storage_options=options).to_pyarrow_table()["id"].to_pylist() == [1, 2, 3]
    assert f"{uri}/_delta_log/{0:020d}.json" in [info.uri for info in S3Store().list(uri)]
