"""URIs as the pipeline writes them: a plain folder path, or `s3://bucket/key`. Nothing in them is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import StorageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")


def scheme_of(uri: str) -> str:
    """The lower-case scheme before `://`; "" for a local path."""
    match = _SCHEME.match(uri)
    return match[1].lower() if match else ""


def join_uri(base: str, *parts: str) -> str:
    """`base` and `parts` with one "/" between them. The parts are taken verbatim (`..` stays `..`) and may hold "/".

    Raises `ValueError` for an empty base or an empty part: a name that went missing must not turn into its own folder.
    """
    if not base or not all(parts):
        raise ValueError(f"cannot join {base!r} and {parts!r}: every part of a URI needs at least one character")
    return "/".join([base.rstrip("/"), *parts])


@dataclass(frozen=True)
class S3Address:
    """Bucket and key of an `s3://` URI. The key is everything after the bucket's slash, as it stands: `..`, `//`,
    `%2F`, spaces and newlines are part of the key."""

    bucket: str
    key: str

    @staticmethod
    def of(uri: str) -> S3Address:
        """Raises `StorageError` for a URI that is not `s3://` or names no bucket."""
        if not uri.startswith("s3://"):
            raise StorageError(f"{uri}: expected s3://bucket/key")
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not bucket:
            raise StorageError(f"{uri}: names no bucket; expected s3://bucket/key")
        return S3Address(bucket, key)

    @staticmethod
    def of_object(uri: str) -> S3Address:
        """As `of`, and raises `StorageError` for a URI without a key."""
        address = S3Address.of(uri)
        if not address.key:
            raise StorageError(f"{uri}: names a bucket and no object; expected s3://bucket/key")
        return address

    @property
    def folder_prefix(self) -> str:
        """The key as the prefix of everything below it: "" for the whole bucket, else ending in "/"."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"
