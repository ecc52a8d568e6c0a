"""Files of a collection that no version in use refers to: left by killed attempts, or removed from it long ago."""

from __future__ import annotations

from collections.abc import Iterable

from deltalake import DeltaTable

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.delta_log import DELTA_FAILURES, one_line
from pipeline.errors import StorageError, UsageError
from pipeline.object_store.delta_options import delta_storage_options
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri

DEFAULT_GRACE_HOURS = 7 * 24


def orphan_files(table: CodeTable, *, grace_hours: int = DEFAULT_GRACE_HOURS) -> list[str]:
    """URIs of files that are not in the newest version, and were stored or removed from it over `grace_hours` ago.

    The grace keeps what a running job has stored and not yet committed, and what readers of an older version still
    open: it must be longer than both. Deletes nothing. Raises `UsageError` for a grace under an hour, `StorageError`.
    """
    if grace_hours < 1:
        raise UsageError(f"grace_hours = {grace_hours}: expected at least 1; running jobs need their new files")
    return [
        join_uri(uri, name) for uri in (table.codes_uri, table.rejects_uri) for name in _unreferenced(uri, grace_hours)
    ]


def _unreferenced(uri: str, grace_hours: int) -> list[str]:
    try:
        log = DeltaTable(uri, storage_options=delta_storage_options(uri))
        return sorted(log.vacuum(grace_hours, dry_run=True, enforce_retention_duration=False, full=True))
    except DELTA_FAILURES as error:
        raise StorageError(f"{uri}: cannot list files that are no longer used: {one_line(error)}") from error


def delete_files(store: ObjectStore, uris: Iterable[str]) -> int:
    """Delete what `orphan_files` gave; returns the number of files."""
    num_deleted = 0
    for uri in uris:
        store.delete(uri)
        num_deleted += 1
    return num_deleted
