"""What only S3 does: keys that are no paths, paging, buckets, credentials; against a real server."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.s3_client import S3Timing, s3_client
from pipeline.object_store.s3_store import S3Store
from tests.s3_server import SECRET, S3Server

ODD_KEYS = [
    "a/../b",
    "..",
    "../a",
    "/leading",
    "a//b",
    "a/%2F",
    "a%20b+c d",
    "a\nb",
    "a\x01b",
    "e\u0301",
    "\u00e9",
    "&<>\"'?#",
    "k" * 1024,
]


@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
def test_odd_keys_are_kept_verbatim(s3_server: S3Server, key: str) -> None:
    store, uri = S3Store(), f"{s3_server.uri}/{key}"
    store.create(uri, key.encode())
    assert store.read(uri) == key.encode()
    assert [info.uri for info in store.list(s3_server.uri)] == [uri]
    assert store.info(uri).size_bytes == len(key.encode())
    store.delete(uri)
    assert list(store.list(s3_server.uri)) == []


# Surrogates have no UTF-8.
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=6))
def test_any_text_is_a_key(s3_server: S3Server, texts: list[str]) -> None:
    store = S3Store()
    prefix = f"{s3_server.uri}/{len(list(store.list(s3_server.uri)))}"
    uris = {f"{prefix}/{text}" for text in texts}
    for uri in uris:
        store.write(uri, uri.encode())
    listed = [info.uri for info in store.list(prefix)]
    assert listed == sorted(uris, key=str.encode)
    assert all(store.read(uri) == uri.encode() for uri in listed)


def test_a_listing_of_several_pages_is_whole(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3Store()
    uris = [f"{s3_server.uri}/p/{number:02d}" for number in range(11)]
    for uri in uris:
        store.write(uri, b"")
    monkeypatch.setattr("pipeline.object_store.s3_store.PAGE_KEYS", 2)
    assert [info.uri for info in store.list(f"{s3_server.uri}/p")] == uris


def test_the_marker_of_the_listed_folder_is_not_below_it(s3_server: S3Server) -> None:
    for key in ("folder/", "folder/sub/", "folder/a"):
        s3_client(S3Timing()).put_object(Bucket=s3_server.bucket, Key=key, Body=b"")
    listed = [info.uri for info in S3Store().list(f"{s3_server.uri}/folder")]
    assert listed == [f"{s3_server.uri}/folder/a", f"{s3_server.uri}/folder/sub/"]


@pytest.mark.parametrize(
    ("method", "arguments", "operation"),
    [
        ("read", (), "GetObject"),
        ("write", (b"x",), "PutObject"),
        ("create", (b"x",), "PutObject"),
        ("delete", (), "DeleteObject"),
    ],
)
def test_a_missing_bucket_is_named_with_the_operation(
    s3_server: S3Server, method: str, arguments: tuple[Any, ...], operation: str
) -> None:
    with pytest.raises(ObjectNotFound, match=rf"bucket s3://no-such-bucket \(asked by {operation}\): no such"):
        getattr(S3Store(), method)("s3://no-such-bucket/a", *arguments)


def test_a_missing_bucket_cannot_be_listed(s3_server: S3Server) -> None:
    with pytest.raises(ObjectNotFound, match=r"bucket s3://no-such-bucket \(asked by ListObjectsV2\)"):
        list(S3Store().list("s3://no-such-bucket"))


def test_an_overwritten_object_is_whole(s3_server: S3Server) -> None:
    uri = f"{s3_server.uri}/a"
    S3Store().write(uri, bytes(3 * 2**20))
    S3Store().write(uri, b"x")
    assert S3Store().read(uri) == b"x"


def test_clients_are_shared_by_stores_and_never_pickled(s3_server: S3Server) -> None:
    store = S3Store(S3Timing(max_attempts=2))
    assert list(store.list(s3_server.uri)) == []
    assert s3_client(S3Timing(max_attempts=2)) is s3_client(S3Timing(max_attempts=2))
    pickled = pickle.dumps(store)
    assert SECRET.encode() not in pickled
    assert pickle.loads(pickled) == store  # noqa: S301 - our own bytes


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "s3://bucket", "s3://bucket/", "/local", "S3://bucket/key"])
def test_only_uris_of_objects_are_taken(uri: str) -> None:
    with pytest.raises(StorageError, match="expected s3://bucket/key"):
        S3Store().write(uri, b"x")
