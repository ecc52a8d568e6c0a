"""`S3Store`: objects of S3 and of servers that speak its protocol."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from operators.errors import MediaTooLarge
from pipeline.errors import CommitStateUnknown, ObjectExists, ObjectNotFound, StorageError
from pipeline.object_store.object_store import ObjectInfo, ObjectStore
from pipeline.object_store.s3_client import S3Timing, s3_client
from pipeline.object_store.s3_faults import http_status, is_refusal, storage_error
from pipeline.object_store.uri_path import S3Address

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

# Keys per listing request; S3 gives no more.
PAGE_KEYS = 1000


@dataclass(frozen=True)
class S3Store(ObjectStore):
    """Whole objects, keys verbatim. Endpoint and credentials come from the standard `AWS_*` environment; the store
    itself holds none, so it pickles. S3 has no folders: listing a prefix without objects lists nothing."""

    timing: S3Timing = field(default_factory=S3Timing)

    def read(self, uri: str, *, if_etag: str | None = None, max_bytes: int | None = None) -> bytes:
        attempt = 1
        while True:
            reply = self._get(uri)
            try:
                return _checked_body(uri, reply, if_etag, max_bytes)
            except BotoCoreError as error:
                # botocore retries requests, never bodies that broke off, stalled or fail their checksum.
                if attempt == self.timing.max_attempts:
                    raise StorageError(
                        f"{uri}: body incomplete in {attempt} tries, expected {reply['ContentLength']:,} bytes: "
                        f"{type(error).__name__}"
                    ) from error
                _back_off(attempt)
                attempt += 1

    def write(self, uri: str, data: bytes) -> None:
        address = S3Address.of_object(uri)
        try:
            s3_client(self.timing).put_object(Bucket=address.bucket, Key=address.key, Body=data)
        except (ClientError, BotoCoreError) as error:
            raise storage_error(uri, "PutObject", error) from error

    def create(self, uri: str, data: bytes) -> None:
        for attempt in range(1, self.timing.max_attempts + 1):
            try:
                return self._put_if_absent(uri, data)
            except (ClientError, BotoCoreError) as error:
                if is_refusal(error):
                    raise storage_error(uri, "PutObject", error) from error
                if not (isinstance(error, ClientError) and http_status(error) == 409):
                    return self._settle(uri, data, error)
                conflict = error  # Another create is under way and nobody has won yet.
                _back_off(attempt)
        return self._settle(uri, data, conflict)

    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        address = S3Address.of(prefix_uri)
        prefix = address.folder_prefix
        last_key = b""
        for page in self._pages(prefix_uri, address.bucket, prefix):
            for entry in page.get("Contents", []):
                if entry["Key"] == prefix:
                    continue  # The folder's own marker is not below the folder.
                key = entry["Key"].encode()
                if key <= last_key:
                    raise StorageError(
                        f"{prefix_uri}: ListObjectsV2 on bucket {address.bucket} gave {key!r} after {last_key!r}; "
                        "expected ascending keys, so the listing cannot be trusted to be whole"
                    )
                last_key = key
                uri = f"s3://{address.bucket}/{entry['Key']}"
                yield ObjectInfo(uri=uri, size_bytes=entry["Size"], etag=_bare(entry["ETag"]))

    def info(self, uri: str) -> ObjectInfo:
        address = S3Address.of_object(uri)
        try:
            reply = s3_client(self.timing).head_object(Bucket=address.bucket, Key=address.key)
        except (ClientError, BotoCoreError) as error:
            raise storage_error(uri, "HeadObject", error) from error
        return ObjectInfo(uri=uri, size_bytes=reply["ContentLength"], etag=_bare(reply["ETag"]))

    def delete(self, uri: str) -> None:
        address = S3Address.of_object(uri)
        try:
            s3_client(self.timing).delete_object(Bucket=address.bucket, Key=address.key)
        except (ClientError, BotoCoreError) as error:
            translated = storage_error(uri, "DeleteObject", error)
            # Some servers answer 404 where S3 answers 204; a missing bucket is an error all the same.
            if not (isinstance(translated, ObjectNotFound) and translated.uri == uri):
                raise translated from error

    def _get(self, uri: str) -> GetObjectOutputTypeDef:
        address = S3Address.of_object(uri)
        try:
            return s3_client(self.timing).get_object(Bucket=address.bucket, Key=address.key)
        except (ClientError, BotoCoreError) as error:
            raise storage_error(uri, "GetObject", error) from error

    def _put_if_absent(self, uri: str, data: bytes) -> None:
        address = S3Address.of_object(uri)
        s3_client(self.timing).put_object(Bucket=address.bucket, Key=address.key, Body=data, IfNoneMatch="*")

    def _settle(self, uri: str, data: bytes, error: ClientError | BotoCoreError) -> None:
        """Decide a create by what is stored. A retried create is told 412 when its own first try won and only the
        reply was lost; a timeout or a 5xx says nothing either way."""
        try:
            ours = self.read(uri, max_bytes=len(data)) == data
        except MediaTooLarge:
            ours = False
        except StorageError as unread:
            raise CommitStateUnknown(
                f"{uri}: PutObject got no clear answer ({storage_error(uri, 'PutObject', error)}) and reading back "
                f"failed ({unread}); it may or may not be stored: run the command again"
            ) from error
        if not ours:
            raise ObjectExists(uri) from error

    def _pages(self, prefix_uri: str, bucket: str, prefix: str) -> Iterator[ListObjectsV2OutputTypeDef]:
        # botocore asks for URL-encoded keys by itself, so that XML cannot mangle them, and decodes them.
        paginator = s3_client(self.timing).get_paginator("list_objects_v2")
        try:
            for page in paginator.paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE_KEYS}):
                if page.get("IsTruncated") and not page.get("NextContinuationToken"):
                    raise StorageError(f"{prefix_uri}: ListObjectsV2 on bucket {bucket} broke off without a next page")
                yield page
        except (ClientError, BotoCoreError) as error:
            raise storage_error(prefix_uri, "ListObjectsV2", error) from error


def _bare(etag: str) -> str:
    """Without the quotes, which servers treat differently."""
    return etag.strip('"')


def _checked_body(uri: str, reply: GetObjectOutputTypeDef, if_etag: str | None, max_bytes: int | None) -> bytes:
    """The whole body. The ETag is that of the bytes which follow, so comparing it is as good as If-Match, of which
    servers disagree whether the value is quoted."""
    size_bytes, etag = reply["ContentLength"], _bare(reply["ETag"])
    with closing(reply["Body"]) as body:
        if if_etag is not None and etag != _bare(if_etag):
            raise StorageError(f"{uri}: changed since it was listed (was {_bare(if_etag)}, is {etag})")
        if max_bytes is not None and size_bytes > max_bytes:
            raise MediaTooLarge("bytes", size_bytes, max_bytes)
        data = body.read()
    if len(data) != size_bytes:
        raise StorageError(f"{uri}: GetObject gave {len(data):,} bytes, announced {size_bytes:,}")
    return data


def _back_off(attempt: int) -> None:
    """Sleep up to 0.1, 0.2, 0.4 … s, at random so that rivals do not meet again."""
    time.sleep(random.uniform(0.5, 1.0) * min(0.1 * 2.0 ** (attempt - 1), 2.0))
