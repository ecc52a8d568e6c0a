"""`IndexStaleness`: how long an index has lacked what its collection holds."""

from __future__ import annotations

import time

from pipeline.code_shards.commit_time import first_commit_after
from pipeline.errors import ObjectNotFound
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.index_manifest import IndexManifest


class IndexStaleness:
    """For the indexes of one catalog, by the clock of whoever wrote the collection. Safe to call from several
    threads."""

    def __init__(self, catalog: str) -> None:
        self._catalog = catalog
        self._store = open_store(catalog)
        # A commit never changes: what is found once need not be read again each second.
        self._known: dict[tuple[str, int], float] = {}

    def seconds(self, manifest: IndexManifest) -> float | None:
        """Since the first commit that the generation lacks; 0.0 when it lacks none, None when its collection is not in
        this catalog. Raises `StorageError`."""
        place = (manifest.collection, manifest.table_version)
        if place not in self._known:
            codes_uri = join_uri(self._catalog, "collections", manifest.collection, "codes")
            try:
                committed = first_commit_after(self._store, codes_uri, manifest.table_version)
            except ObjectNotFound:
                return None
            if committed is None:
                return 0.0
            self._known[place] = committed.timestamp()
        return max(0.0, time.time() - self._known[place])
