"""`change_generation`: a new generation that differs from an older one in a few rows, and shares its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from operators.search.search_planner import PlanRequest
from pipeline.errors import ConflictError
from pipeline.shard_index.deleted_ids import DELETED_NAME, NO_IDS, open_deleted
from pipeline.shard_index.generation_draft import BUILDER, GenerationDraft, draft_generation
from pipeline.shard_index.index_manifest import IndexFile, IndexManifest, ShardEntry, delta_name
from pipeline.shard_index.mapped_array import map_array
from pipeline.shard_index.search_structures import StructureRequest, add_structures
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.shard_index.shard_files import HashedFile
from pipeline.shard_index.shard_rows import RowOrigin, ShardCut, write_shards
from pipeline.shard_index.stored_ids import StoredIds

DELTA_SHARD_ROWS = 2_000_000
# Below this a scan of a delta shard is as fast as any other search of it, and there is nothing to build.
SCANNED_ROWS = 200_000


@dataclass(frozen=True, kw_only=True, eq=False)
class GenerationChange:
    """`deleted`: ascending ids that no longer answer; those that have no row in the generation are passed over.

    `added`: `num_added` new rows as tables of `id`, `code` and payload columns, ids ascending throughout.
    `table_version`: of the collection, which the new generation stands for.
    """

    table_version: int
    deleted: NDArray[np.int64] = field(default_factory=lambda: NO_IDS)
    num_added: int = 0
    added: Iterable[pa.Table] = ()


def change_generation(fetcher: ShardFetcher, old: IndexManifest, change: GenerationChange) -> IndexManifest:
    """Write and publish a generation on top of `old`; `old` itself where the change makes no difference.

    New rows become delta shards. Memory: one input table, and the ids of deleted rows. Raises `ConflictError` when a
    new row has the id of a row that is there, `CorruptFile`, `StorageError`, and `InvalidSetting` for a kind of search
    whose library is missing.
    """
    stored = StoredIds(old, fetcher)
    before = open_deleted(old, fetcher)
    deleted = np.union1d(before, stored.stored(change.deleted))
    if len(deleted) == len(before) and not change.num_added and change.table_version == old.table_version:
        return old
    with draft_generation(fetcher.store, fetcher.catalog, old.index, change.table_version) as draft:
        kept = [
            replace(shard, home=old.home_of(shard), num_deleted=len(stored.stored_in(shard, deleted)))
            for shard in old.shards
        ]
        deltas = _write_deltas(draft, old, change)
        _refuse_known_ids(draft, old, stored, deltas)
        manifest = replace(
            old,
            generation=draft.name,
            table_version=change.table_version,
            created_at=draft.created_at,
            builder=BUILDER,
            shards=(*kept, *deltas),
            deleted=_write_deleted(draft, deleted),
            num_deleted=len(deleted),
            num_rows=sum(shard.num_living for shard in (*kept, *deltas)),
        )
        draft.publish(manifest)
    return manifest


def _write_deltas(draft: GenerationDraft, old: IndexManifest, change: GenerationChange) -> Sequence[ShardEntry]:
    if not change.num_added:
        return ()
    first_row = sum(shard.num_rows for shard in old.shards)
    first_number = sum(shard.is_delta for shard in old.shards)
    cuts = [
        ShardCut(
            name=delta_name(first_number + number),
            first_row=first_row + start,
            num_rows=min(DELTA_SHARD_ROWS, change.num_added - start),
        )
        for number, start in enumerate(range(0, change.num_added, DELTA_SHARD_ROWS))
    ]
    origin = RowOrigin(collection=old.collection, table_version=change.table_version, num_bits=old.num_bits)
    plain = tuple(write_shards(draft.folder, cuts, origin, change.added))
    kind = old.search.kind if change.num_added > SCANNED_ROWS else "scan"
    request = StructureRequest(kind=kind, num_bits=old.num_bits, expected=PlanRequest())
    _, shards = add_structures(draft.folder, plain, request)
    search_kind = None if kind == old.search.kind else kind
    return [replace(shard, is_delta=True, search_kind=search_kind) for shard in shards]


def _refuse_known_ids(
    draft: GenerationDraft, old: IndexManifest, stored: StoredIds, deltas: Sequence[ShardEntry]
) -> None:
    """A task that was encoded, replaced and encoded again as it was has the ids that it had."""
    for shard in deltas:
        known = stored.stored(map_array(draft.folder / shard.ids.name))
        if len(known):
            named = ", ".join(map(str, known[:5]))
            raise ConflictError(
                f"index {old.index}, generation {old.generation} has rows of {len(known)} of the new ids already "
                f"({named}), from an earlier state of their files; {old.remedy}"
            )


def _write_deleted(draft: GenerationDraft, deleted: NDArray[np.int64]) -> IndexFile | None:
    if not len(deleted):
        return None
    file = HashedFile(draft.folder / DELETED_NAME)
    try:
        npy_format.write_array(file, deleted, allow_pickle=False)
    finally:
        file.close()
    return file.entry()
