"""The scheme alone chooses the store."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.object_store.local_store import LocalStore
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.s3_store import S3Store


@pytest.mark.parametrize(
    ("uri", "kind"),
    [("/catalog", LocalStore), ("catalog", LocalStore), ("./a", LocalStore), ("s3://bucket/a", S3Store)],
)
def test_store_of_a_uri(uri: str, kind: type[ObjectStore]) -> None:
    assert type(open_store(uri)) is kind


@pytest.mark.parametrize("uri", ["file:///catalog", "s3a://bucket", "http://host/catalog"])
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(UsageError, match=f"{uri}: cannot store at .*give a folder path or s3://bucket/prefix"):
        open_store(uri)
