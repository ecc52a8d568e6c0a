"""What all who open a generation share: the specs of its searchers, its session, its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from operators.decoders.image_decoder import DecodeLimits
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.search_session import SearchSession
from pipeline.routing.searcher_port import SearcherPort
from pipeline.settings import SearchSettings
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_searcher import SearcherSpec


@dataclass(frozen=True)
class OpenedIndex:
    """Index `index` of `catalog`, and how it is searched. Pictures larger than `max_pixels` are refused."""

    catalog: str
    index: str
    search: SearchSettings
    max_pixels: int = DecodeLimits().max_pixels

    @cached_property
    def catalog_of_indexes(self) -> IndexCatalog:
        return IndexCatalog(self.catalog, open_store(self.catalog))


def searcher_specs(
    opened: OpenedIndex, manifest: IndexManifest, placement: Sequence[tuple[str, ...]]
) -> list[SearcherSpec]:
    """One for each place of `placement`, which holds the shards of those names."""
    search = opened.search
    return [
        SearcherSpec(
            catalog=opened.catalog,
            index=manifest.index,
            generation=manifest.generation,
            shard_names=names,
            cache_dir=Path(search.cache_dir) if search.cache_dir else None,
            num_threads=search.num_threads,
            device=search.device,
        )
        for names in placement
    ]


def session_over(opened: OpenedIndex, manifest: IndexManifest, ports: Sequence[SearcherPort]) -> SearchSession:
    """The session, with its model loaded, so that the first picture waits for nothing. Raises `ModelMismatch`,
    `UnknownName`, `CorruptFile`, `StorageError`."""
    router = QueryRouter(manifest, ports, deadline_seconds=opened.search.deadline_seconds)
    session = SearchSession(router, lambda: load_encoder(opened, manifest))
    _ = session.encoder
    return session


def load_encoder(opened: OpenedIndex, manifest: IndexManifest) -> QueryEncoder:
    """Raises as `session_over`."""
    _, model = ModelStore(opened.catalog, open_store(opened.catalog)).load(manifest.model_id)
    return QueryEncoder(model, manifest, DecodeLimits(max_pixels=opened.max_pixels))
