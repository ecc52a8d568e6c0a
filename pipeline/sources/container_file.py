"""Opening container files (Parquet, tar, IDX, CIFAR) without reading them whole, locally and on S3."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, Any, cast

import pyarrow as pa
from pyarrow import fs

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.s3_endpoint import s3_endpoint
from pipeline.object_store.uri_path import S3Address, scheme_of

# Ranged GETs of this size keep memory bounded and requests few.
READ_AHEAD_BYTES = 4 * 2**20

# What a damaged gzip stream raises; BadGzipFile is an OSError without a number.
DAMAGED_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)

_S3_ATTEMPTS = 5
_CONNECT_TIMEOUT_SECONDS = 5.0
_REQUEST_TIMEOUT_SECONDS = 30.0


@contextmanager
def open_container(uri: str) -> Iterator[pa.NativeFile]:
    """The file for reading at any position. Raises `ObjectNotFound` and `StorageError` for faults of the store, also
    for those that happen inside the `with`; errors about the content pass."""
    with store_faults(uri), _native_file(uri) as file:
        yield file


@contextmanager
def open_stream(uri: str) -> Iterator[IO[bytes]]:
    """The file from its beginning, buffered, and unpacked when its name ends in `.gz` or `.tgz`."""
    with open_container(uri) as file:
        stream = cast("IO[bytes]", pa.BufferedInputStream(file, READ_AHEAD_BYTES))
        if is_gzip_name(uri):
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield stream


def is_gzip_name(uri: str) -> bool:
    return uri.lower().endswith((".gz", ".tgz"))


@contextmanager
def store_faults(uri: str) -> Iterator[None]:
    """Turn what the system or S3 answered into `ObjectNotFound` and `StorageError`; errors about content pass."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ObjectNotFound(uri) from error
    except OSError as error:
        if not is_store_fault(error):
            raise
        raise StorageError(f"{uri}: read failed: {str(error).splitlines()[0]}") from error


def is_store_fault(error: OSError) -> bool:
    """pyarrow and gzip raise `OSError` for damaged content too: without a number, and without Amazon's name."""
    return error.errno is not None or "AWS Error" in str(error)


def _native_file(uri: str) -> Any:
    if scheme_of(uri) != "s3":
        return pa.OSFile(uri)
    address = S3Address.of_object(uri)
    return _s3_file_system(os.getpid(), s3_endpoint()).open_input_file(f"{address.bucket}/{address.key}")


@cache
def _s3_file_system(process_id: int, endpoint: str | None) -> fs.S3FileSystem:
    """One per process and endpoint. Credentials come from the standard environment, as for the object store."""
    settings: dict[str, Any] = {}
    if endpoint is not None:
        scheme, _, host = endpoint.rpartition("://")
        settings = {"endpoint_override": host, "scheme": scheme or "https"}
    return fs.S3FileSystem(
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        request_timeout=_REQUEST_TIMEOUT_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_S3_ATTEMPTS),
        **settings,
    )
