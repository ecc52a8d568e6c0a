"""The store for a URI, by its scheme."""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.object_store.local_store import LocalStore
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import scheme_of


def open_store(uri: str) -> ObjectStore:
    """`LocalStore` for a path, `S3Store` for `s3://…`. Cheap: nothing is opened before the first request.

    Raises `UsageError` for any other scheme.
    """
    scheme = scheme_of(uri)
    if scheme == "":
        return LocalStore()
    if scheme == "s3":
        from pipeline.object_store.s3_store import S3Store  # boto3 is slow to import, and not needed for folders

        return S3Store()
    raise UsageError(f"{uri}: cannot store at {scheme}://; give a folder path or s3://bucket/prefix")
