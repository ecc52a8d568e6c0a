"""`move_alias`: an alias goes from the generation it points at to one made from it, without losing others' changes."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import ConflictError
from pipeline.shard_index.alias import AliasRecord
from pipeline.shard_index.generation_draft import discard_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_fetch import ShardFetcher


def move_alias(
    fetcher: ShardFetcher,
    index: str,
    alias: str,
    change: Callable[[IndexManifest], IndexManifest],
    *,
    built: IndexManifest | None = None,
) -> IndexManifest:
    """Point the alias at what `change` makes of its generation, in one conditional write.

    When somebody else moved the alias meanwhile, what was made is removed (but not `built`, which was there before) and
    `change` is asked again, about the winner's generation. Raises `UnknownName`, what `change` raises, and
    `ConflictError` when that keeps happening.
    """
    kept = None if built is None else built.generation
    indexes = IndexCatalog(fetcher.catalog, fetcher.store)
    made: list[IndexManifest] = []

    def make(head: AliasRecord | None) -> str:
        if made:
            discard_generation(fetcher.store, fetcher.catalog, made.pop())
        current = indexes.resolve(index, alias) if head is None else indexes.manifest(index, head.generation)
        manifest = change(current)
        if manifest.generation not in (current.generation, kept):
            made.append(manifest)
        return manifest.generation

    try:
        record = indexes.alias_log(index, alias).move(make)
    except ConflictError:
        for manifest in made:
            discard_generation(fetcher.store, fetcher.catalog, manifest)
        raise
    return indexes.manifest(index, record.generation)
