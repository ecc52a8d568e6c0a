"""A failing store is never mistaken for a damaged container."""

from __future__ import annotations

import gzip
from pathlib import Path

import boto3
import pyarrow.parquet as pq
import pytest

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.records import FetchedItem
from pipeline.sources.container_file import open_container, open_stream
from pipeline.sources.item_reader import read_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.fault_proxy import Fault, FaultProxy
from tests.s3_server import S3Server
from tests.source_samples import MAX_BYTES, idx_bytes, idx_pictures, picture_table, sample_members, tar_bytes


def container(kind: str, root: Path) -> bytes:
    if kind == "t.parquet":
        pq.write_table(picture_table(range(50)), root / "t.parquet")
        return (root / "t.parquet").read_bytes()
    if kind == "train-images-idx3-ubyte.gz":
        return gzip.compress(idx_bytes(idx_pictures(500)))
    tar = tar_bytes(sample_members(range(20)))
    return gzip.compress(tar) if kind.endswith(".gz") else tar


FAULTS = [
    Fault(action="status", method="GET", status=403, code="AccessDenied", target=".*/c/.*", times=10**6),
    Fault(action="status", method="GET", status=400, code="ExpiredToken", target=".*/c/.*", times=10**6),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
@pytest.mark.parametrize("name", ["t.parquet", "t.tar", "t.tar.gz", "train-images-idx3-ubyte.gz"])
def test_a_refusing_store_raises(
    name: str, fault: Fault, tmp_path: Path, fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    boto3.client("s3").put_object(Bucket=s3_server.bucket, Key=f"c/{name}", Body=container(name, tmp_path))
    tasks = list(open_source(SourceSettings(uri=f"{s3_server.uri}/c/{name}")).tasks())
    fault_proxy.plan([fault])
    with pytest.raises(StorageError, match=name):
        list(read_items(tasks[0], max_bytes=MAX_BYTES))


@pytest.mark.parametrize("name", ["t.parquet", "t.tar", "t.tar.gz", "train-images-idx3-ubyte.gz"])
@pytest.mark.parametrize("action", ["truncate_reply", "reset", "status"])
def test_a_hiccup_loses_nothing(
    name: str, action: str, tmp_path: Path, fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    boto3.client("s3").put_object(Bucket=s3_server.bucket, Key=f"c/{name}", Body=container(name, tmp_path))
    tasks = list(open_source(SourceSettings(uri=f"{s3_server.uri}/c/{name}")).tasks())
    expected = [list(read_items(task, max_bytes=MAX_BYTES)) for task in tasks]
    fault_proxy.plan([Fault(action=action, method="GET", target=".*/c/.*")])  # type: ignore[arg-type]
    assert [list(read_items(task, max_bytes=MAX_BYTES)) for task in tasks] == expected
    assert all(isinstance(item, FetchedItem) for records in expected for item in records)


def test_missing_files_are_named(tmp_path: Path, s3_server: S3Server) -> None:
    for uri in (f"{tmp_path}/gone.tar", f"{s3_server.uri}/gone.tar"):
        for opened in (open_container, open_stream):
            with pytest.raises(ObjectNotFound, match=r"gone\.tar"), opened(uri):
                pass
