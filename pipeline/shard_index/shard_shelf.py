"""`ShardShelf`: opened shards kept from one generation to the next, so that a change is followed at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from pipeline.object_store.open_store import open_store
from pipeline.shard_index.deleted_ids import open_deleted
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import IndexShard, open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher


@dataclass(frozen=True)
class _ShardKey:
    """What makes two shards the same: the bytes of their files, and how they are read."""

    sha256s: tuple[str, ...]
    num_bits: int
    search_kind: str
    device: str


class ShardShelf:
    """A shard whose files an earlier generation has as well is neither read nor verified again.

    Opened shards stay, memory-mapped, until the last generation that uses them is forgotten. Safe to call from several
    threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shards: dict[_ShardKey, IndexShard] = {}
        self._users: dict[_ShardKey, set[str]] = {}

    def searcher(self, spec: SearcherSpec) -> ShardSearcher:
        """As `ShardSearcher.open`, and raises what that raises; then nothing is kept of it."""
        store = open_store(spec.catalog)
        manifest = IndexCatalog(spec.catalog, store).manifest(spec.index, spec.generation)
        fetcher = ShardFetcher(spec.catalog, store, spec.cache_dir)
        opened = {_key(manifest, name, spec): self._opened(manifest, name, fetcher, spec) for name in spec.shard_names}
        deleted = open_deleted(manifest, fetcher)
        with self._lock:
            for key, shard in opened.items():
                self._shards.setdefault(key, shard)
                self._users.setdefault(key, set()).add(spec.generation)
        return ShardSearcher(list(opened.values()), spec.num_threads, manifest.code_kind, deleted)

    def forget(self, generation: str) -> None:
        """Let go of the shards that no other generation uses; searchers that are still open keep theirs."""
        with self._lock:
            for users in self._users.values():
                users.discard(generation)
            for key in [key for key, users in self._users.items() if not users]:
                del self._users[key], self._shards[key]

    @property
    def num_shards(self) -> int:
        """How many different shards are kept."""
        return len(self._shards)

    def _opened(self, manifest: IndexManifest, name: str, fetcher: ShardFetcher, spec: SearcherSpec) -> IndexShard:
        """Two threads that ask for a new shard at once both open it, which costs time and nothing else."""
        with self._lock:
            known = self._shards.get(_key(manifest, name, spec))
        if known is None:
            return open_shard(manifest, name, fetcher, spec.device)
        return replace(known, entry=manifest.shard(name))


def _key(manifest: IndexManifest, name: str, spec: SearcherSpec) -> _ShardKey:
    entry = manifest.shard(name)
    sha256s = tuple(file.sha256 for file in entry.files)
    return _ShardKey(sha256s, manifest.num_bits, manifest.kind_of(entry), spec.device)
