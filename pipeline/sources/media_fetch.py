"""The bytes of one item again, from the URI it was given."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import pyarrow as pa

from operators.errors import MediaTooLarge
from pipeline.errors import CorruptFile, ObjectNotFound, SourceError
from pipeline.object_store.open_store import open_store
from pipeline.sources.bitmap_bytes import bitmap_bytes
from pipeline.sources.cifar10_source import cifar10_part, is_cifar10_name
from pipeline.sources.container_file import DAMAGED_GZIP, open_stream
from pipeline.sources.idx_source import idx_part, images_shape, is_idx_name
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.media_uri import split_uri, unquote_fragment
from pipeline.sources.parquet_rows import iter_rows, open_parquet, value_at
from pipeline.sources.record_file import read_records
from pipeline.sources.tar_reader import DamagedTar, TarReader
from pipeline.sources.webdataset_source import is_tar_name

_REMEDY = "restore the file, or encode the source again"


def fetch_media(uri: str, *, max_bytes: int) -> bytes:
    """The bytes that `read_items` gave for the item with this URI, as they are now.

    Raises `ObjectNotFound` when the file, or the part of it, is not there (any more), `MediaTooLarge`, `CorruptFile`
    for a damaged container, `StorageError` when the store fails.
    """
    container, fragment = split_uri(uri)
    if fragment is None:
        return open_store(container).read(container, max_bytes=max_bytes)
    try:
        data = _reader(container)(container, fragment, max_bytes)
    except (DamagedTar, pa.ArrowException, SourceError, *DAMAGED_GZIP) as error:
        raise CorruptFile(container, str(error).splitlines()[0], _REMEDY) from error
    if data is None:
        raise ObjectNotFound(uri)
    if len(data) > max_bytes:
        raise MediaTooLarge("bytes", len(data), max_bytes)
    return data


def _reader(container: str) -> Callable[[str, str, int], bytes | None]:
    if is_tar_name(container):
        return _tar_member
    if is_idx_name(container) or is_cifar10_name(container):
        return _array_row
    return _table_cell


def _tar_member(uri: str, fragment: str, max_bytes: int) -> bytes | None:
    name = unquote_fragment(fragment)
    with open_stream(uri) as stream:
        tar = TarReader(stream)
        for member in tar:
            if member.name == name:
                if member.size_bytes > max_bytes:
                    raise MediaTooLarge("bytes", member.size_bytes, max_bytes)
                return tar.read() if member.is_regular else None
    return None


def _table_cell(uri: str, fragment: str, max_bytes: int) -> bytes | None:
    values = parse_qs(fragment)
    row, column = values.get("row", [""])[0], values.get("column", [""])[0]
    if not row.isdigit() or not column:
        return None
    with open_parquet(uri) as parquet:
        for _, cells in iter_rows(parquet, (column,), range(int(row), int(row) + 1)):
            cell = value_at(cells, column)
            return cell if isinstance(cell, bytes) else None
    return None


def _array_row(uri: str, fragment: str, max_bytes: int) -> bytes | None:
    if not fragment.isdigit():
        return None
    rows = range(int(fragment), int(fragment) + 1)
    file = ListedItem(key=uri, uri=uri, size_bytes=0, etag="")
    part = idx_part(file, rows, images_shape(uri)) if is_idx_name(uri) else cifar10_part(file, rows)
    records = read_records(uri, header_bytes=part.header_bytes, record_bytes=part.record_bytes, rows=rows)
    for record in records:
        if len(record) == part.record_bytes:
            return bitmap_bytes(part.decode(record)[0])
    return None
