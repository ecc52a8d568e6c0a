"""URIs are joined and split, and otherwise left alone."""

from __future__ import annotations

import pytest

from pipeline.errors import StorageError
from pipeline.object_store.uri_path import S3Address, join_uri, scheme_of


@pytest.mark.parametrize(
    ("base", "parts", "expected"),
    [
        ("s3://bucket", ("a", "b"), "s3://bucket/a/b"),
        ("s3://bucket/prefix/", ("a",), "s3://bucket/prefix/a"),
        ("/catalog", ("models/x", "1"), "/catalog/models/x/1"),
        ("/", ("a",), "/a"),
        ("relative", ("..", "%2F"), "relative/../%2F"),
        ("catalog", (), "catalog"),
    ],
)
def test_join(base: str, parts: tuple[str, ...], expected: str) -> None:
    assert join_uri(base, *parts) == expected


@pytest.mark.parametrize(("base", "parts"), [("", ("a",)), ("a", ("",)), ("a", ("b", ""))])
def test_join_refuses_empty_names(base: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least one character"):
        join_uri(base, *parts)


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("s3://b/k", "s3"),
        ("S3://b", "s3"),
        ("file:///a", "file"),
        ("/a/b", ""),
        ("a:b", ""),
        ("./s3://b", ""),
        ("", ""),
    ],
)
def test_scheme(uri: str, scheme: str) -> None:
    assert scheme_of(uri) == scheme


@pytest.mark.parametrize(
    ("uri", "bucket", "key", "folder_prefix"),
    [
        ("s3://bucket", "bucket", "", ""),
        ("s3://bucket/", "bucket", "", ""),
        ("s3://bucket/a/b", "bucket", "a/b", "a/b/"),
        ("s3://bucket/a/", "bucket", "a/", "a/"),
        ("s3://bucket//a/../%2F\n", "bucket", "/a/../%2F\n", "/a/../%2F\n/"),
    ],
)
def test_s3_address(uri: str, bucket: str, key: str, folder_prefix: str) -> None:
    address = S3Address.of(uri)
    assert (address.bucket, address.key, address.folder_prefix) == (bucket, key, folder_prefix)


def test_an_object_needs_a_key() -> None:
    with pytest.raises(StorageError, match="names a bucket and no object"):
        S3Address.of_object("s3://bucket/")
