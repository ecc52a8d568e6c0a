"""When a collection got the first change that a reader of an older version lacks: from the names and the first lines
of its Delta log, which is one or two small reads however large the table is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri


def first_commit_after(store: ObjectStore, codes_uri: str, version: int) -> datetime | None:
    """When the Delta table at `codes_uri` went beyond `version`; None when that is its newest.

    Raises `ObjectNotFound` when there is no such table or version, `StorageError` when the log cannot say.
    """
    log = join_uri(codes_uri, "_delta_log")
    try:
        return _committed_at(store, _commit_uri(log, version + 1))
    except ObjectNotFound:
        newest = _checkpointed(store, log)
    if newest is not None and newest > version:
        raise StorageError(f"{log}: the log no longer has version {version + 1}; build the index again")
    if newest != version:
        store.info(_commit_uri(log, version))
    return None


def _commit_uri(log: str, version: int) -> str:
    return join_uri(log, f"{version:020d}.json")


def _committed_at(store: ObjectStore, uri: str) -> datetime:
    for line in store.read(uri).splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            return datetime.fromtimestamp(action["commitInfo"]["timestamp"] / 1000, UTC)
    raise StorageError(f"{uri}: says nothing of when it was written")


def _checkpointed(store: ObjectStore, log: str) -> int | None:
    """The newest version that a checkpoint sums up."""
    try:
        return int(json.loads(store.read(join_uri(log, "_last_checkpoint")))["version"])
    except ObjectNotFound:
        return None
