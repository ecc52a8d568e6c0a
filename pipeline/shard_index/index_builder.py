"""`build_generation`: rows in id order become shards, published by the manifest that is written last."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, num_code_bytes
from operators.hashers.hasher import CodeKind
from operators.search.search_kinds import SEARCH_KINDS
from operators.search.search_planner import PlanRequest
from pipeline.errors import CorruptFile, UsageError
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.shard_index.index_manifest import (
    MANIFEST_NAME,
    IndexManifest,
    ShardEntry,
    generation_uri,
    shard_name,
)
from pipeline.shard_index.index_name import check_name
from pipeline.shard_index.search_structures import AUTO, StructureRequest, add_structures
from pipeline.shard_index.shard_files import ShardFilesWriter

_log = logging.getLogger(__name__)

MAX_SHARDS = 4096


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What to build. `num_rows` is what the table's log promises; fewer rows than shards make fewer shards.
    `search_kind`: a name of `search_kinds`, or "auto": what suits the `expected` searches best.

    Raises `UsageError` for a bad name, a `num_shards` outside 1 to `MAX_SHARDS`, and a collection without rows.
    """

    catalog: str
    index: str
    collection: str
    table_version: int
    model_id: str
    model_fingerprint: str
    num_bits: int
    num_rows: int
    num_shards: int
    code_kind: CodeKind = "binary"
    search_kind: str = "scan"
    expected: PlanRequest = field(default_factory=PlanRequest)

    def __post_init__(self) -> None:
        check_name("index", self.index)
        if isinstance(self.num_shards, bool) or not isinstance(self.num_shards, int):
            raise UsageError(f"num_shards = {self.num_shards!r}: expected a whole number")
        if self.search_kind not in (*SEARCH_KINDS, AUTO):
            raise UsageError(f"kind = {self.search_kind!r}: expected {AUTO} or one of {', '.join(SEARCH_KINDS)}")
        if self.search_kind not in ("scan", AUTO) and self.code_kind != "binary":
            raise UsageError(f"kind = {self.search_kind!r}: codes of collection {self.collection} are {self.code_kind}")
        if not 1 <= self.num_shards <= MAX_SHARDS:
            raise UsageError(f"num_shards = {self.num_shards}: expected 1 to {MAX_SHARDS}")
        if self.num_rows < 1:
            raise UsageError(
                f"collection {self.collection} has no rows at version {self.table_version}; "
                "encode something into it first"
            )

    @property
    def shard_rows(self) -> list[int]:
        """Rows of each shard, as even as can be."""
        num_shards = min(self.num_shards, self.num_rows)
        bounds = [self.num_rows * number // num_shards for number in range(num_shards + 1)]
        return [stop - start for start, stop in pairwise(bounds)]


def build_generation(store: ObjectStore, plan: BuildPlan, tables: Iterable[pa.Table]) -> IndexManifest:
    """Write and publish one generation. `tables` hold `id`, `code` and payload columns, ids ascending throughout.

    Memory: one input table and one payload batch. Nothing is visible before the manifest is there; an error leaves no
    generation. Raises `InvalidSetting` for a kind of search whose library is missing, `CorruptFile` for repeated ids or
    another number of rows than planned, `StorageError`.
    """
    if plan.num_shards > plan.num_rows:
        _log.warning("index %s: %d rows make %d shards", plan.index, plan.num_rows, plan.num_rows)
    now = datetime.now(UTC)
    generation = f"{now:%Y%m%dT%H%M%S%f}Z-v{plan.table_version:06d}-{secrets.token_hex(2)}"
    home = generation_uri(plan.catalog, plan.index, generation)
    with ExitStack() as cleanup:
        folder = _working_folder(home, cleanup)
        plain = tuple(_write_shards(folder, plan, _checked_rows(plan, tables)))
        search, shards = add_structures(folder, plain, _structure_request(plan))
        manifest = IndexManifest(
            index=plan.index,
            generation=generation,
            collection=plan.collection,
            table_version=plan.table_version,
            model_id=plan.model_id,
            model_fingerprint=plan.model_fingerprint,
            num_bits=plan.num_bits,
            code_kind=plan.code_kind,
            search=search,
            num_rows=plan.num_rows,
            created_at=now.isoformat(),
            builder=f"bitquarry {version('bitquarry')}",
            shards=shards,
        )
        if scheme_of(home):
            _upload(store, home, folder, shards)
        else:
            cleanup.pop_all()
        store.create(join_uri(home, MANIFEST_NAME), manifest.to_bytes())
    return manifest


def _structure_request(plan: BuildPlan) -> StructureRequest:
    request = StructureRequest(kind=plan.search_kind, num_bits=plan.num_bits, expected=plan.expected)
    if plan.code_kind == "binary" or plan.search_kind != AUTO:
        return request
    return replace(request, kind="scan", reason="quantized codes are compared by lookup tables, which only a scan does")


def _working_folder(home: str, cleanup: ExitStack) -> Path:
    """Local catalogs: the generation's own folder, where files lie unseen until the manifest names them."""
    if scheme_of(home):
        return Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bitquarry-index-")))
    folder = Path(home)
    folder.mkdir(parents=True)
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _upload(store: ObjectStore, home: str, folder: Path, shards: Iterable[ShardEntry]) -> None:
    for shard in shards:
        for file in shard.files:
            path = folder / file.name
            store.write(join_uri(home, file.name), path.read_bytes())
            path.unlink()


@dataclass(frozen=True)
class _Rows:
    ids: NDArray[np.int64]
    packed: NDArray[np.uint8]
    payload: pa.Table

    def __getitem__(self, rows: slice) -> _Rows:
        return _Rows(self.ids[rows], self.packed[rows], self.payload[rows])


def _write_shards(folder: Path, plan: BuildPlan, rows: Iterator[_Rows]) -> Iterator[ShardEntry]:
    """Cut the stream of rows at the shard borders."""
    waiting: _Rows | None = None
    first_row = 0
    sizes = plan.shard_rows
    for number, num_rows in enumerate(sizes):
        name = shard_name(number, len(sizes))
        with ShardFilesWriter(
            folder, name, first_row=first_row, num_rows=num_rows, num_code_bytes=num_code_bytes(plan.num_bits)
        ) as writer:
            while writer.num_missing:
                waiting = waiting if waiting is not None else next(rows, None)
                if waiting is None:
                    raise _wrong_count(plan, first_row + num_rows - writer.num_missing)
                num_taken = min(writer.num_missing, len(waiting.ids))
                taken = waiting[slice(0, num_taken)]
                writer.write(taken.ids, taken.packed, taken.payload)
                waiting = waiting[slice(num_taken, None)] if num_taken < len(waiting.ids) else None
            yield writer.finish()
        first_row += num_rows
    if waiting is not None or next(rows, None) is not None:
        raise _wrong_count(plan, "more")


def _wrong_count(plan: BuildPlan, found: int | str) -> CorruptFile:
    wrong = f"its files hold {found} rows, its log says {plan.num_rows}"
    return CorruptFile(f"collection {plan.collection} version {plan.table_version}", wrong, "encode it again")


def _checked_rows(plan: BuildPlan, tables: Iterable[pa.Table]) -> Iterator[_Rows]:
    last_id = -1
    for table in tables:
        if not table.num_rows:
            continue
        ids = table.column("id").to_numpy()
        broken = np.flatnonzero(np.diff(ids, prepend=last_id) <= 0)
        if len(broken):
            named = ", ".join(str(item) for item in ids[broken[:5]])
            wrong = f"{len(broken)} ids are repeated or out of order: {named}"
            raise CorruptFile(
                f"collection {plan.collection} version {plan.table_version}", wrong, "encode it into a new collection"
            )
        last_id = int(ids[-1])
        codes = BinaryCodes(_packed_codes(table.column("code"), num_code_bytes(plan.num_bits)), plan.num_bits)
        columns = [name for name in table.column_names if name not in ("id", "code")]
        yield _Rows(ids, codes.packed, table.select(columns))


def _packed_codes(column: pa.ChunkedArray, num_bytes: int) -> NDArray[np.uint8]:
    parts = [np.empty((0, num_bytes), np.uint8)]
    for chunk in column.chunks:
        if chunk.null_count or chunk.type != pa.binary(num_bytes):
            raise CorruptFile(
                "column code", f"is {chunk.type} with {chunk.null_count} nulls", f"expected {num_bytes} bytes"
            )
        flat = np.frombuffer(chunk.buffers()[1] or b"", np.uint8)
        parts.append(flat.reshape(-1, num_bytes)[chunk.offset : chunk.offset + len(chunk)])
    return np.concatenate(parts)
