"""Generations that grew: some rows of a corpus in base shards, others in delta shards, some deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.hashers.hasher import CodeKind
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_fetch import ShardFetcher
from tests.pipeline.shard_index.index_examples import Corpus, plan_for


@dataclass(frozen=True, kw_only=True)
class Growth:
    """`part[row]`: 0 for a row of the build, n for one that the n-th addition brings. `dead[row]`: it is deleted in
    the end."""

    part: Sequence[int]
    dead: Sequence[bool]
    num_shards: int = 2
    search_kind: str = "scan"
    code_kind: CodeKind = "binary"

    @property
    def living(self) -> NDArray[np.intp]:
        return np.flatnonzero(~np.array(self.dead))


def rows_table(corpus: Corpus, rows: NDArray[np.intp]) -> pa.Table:
    return corpus.table(slice(None)).take(pa.array(rows))


def fetcher_of(catalog: str | Path) -> ShardFetcher:
    return ShardFetcher(str(catalog), open_store(str(catalog)))


def grow(catalog: str | Path, corpus: Corpus, growth: Growth) -> IndexManifest:
    """Each addition also deletes the rows that are dead and there already."""
    part, dead = np.array(growth.part), np.array(growth.dead)
    base = rows_table(corpus, np.flatnonzero(part == 0))
    plan = replace(
        plan_for(str(catalog), corpus, num_shards=growth.num_shards),
        num_rows=base.num_rows,
        search_kind=growth.search_kind,
        code_kind=growth.code_kind,
    )
    fetcher = fetcher_of(catalog)
    manifest = build_generation(fetcher.store, plan, [base])
    for number in range(1, int(part.max()) + 1):
        added = rows_table(corpus, np.flatnonzero(part == number))
        change = GenerationChange(
            table_version=manifest.table_version + 1,
            deleted=corpus.ids[dead & (part < number)],
            num_added=added.num_rows,
            added=[added],
        )
        manifest = change_generation(fetcher, manifest, change)
    last = GenerationChange(table_version=manifest.table_version, deleted=corpus.ids[dead])
    return change_generation(fetcher, manifest, last)
