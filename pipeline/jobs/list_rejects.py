"""The items of a collection that could not be encoded, and why."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.shard_reader import read_rejects
from pipeline.errors import UnknownName
from pipeline.jobs.catalog_status import collection_names
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.records import FailedItem

_COLUMNS = ("key", "uri", "stage", "reason", "detail")


def list_rejects(catalog: str, collection: str) -> Iterator[FailedItem]:
    """Every reject of the newest version, file by file. Raises `UnknownName`, `CorruptFile` and `StorageError`."""
    store = open_store(catalog)
    table = CodeTable.find(join_uri(catalog, "collections", collection))
    if table is None:
        raise UnknownName("collection", collection, collection_names(catalog, store))
    for shard in table.rejects_snapshot(table.snapshot()).shards:
        rows = read_rejects(store, table.rejects_file_uri(shard), table.identity).select(_COLUMNS)
        for row in rows.to_pylist():
            yield FailedItem(**row)
