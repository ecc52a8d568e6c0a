"""`write_shards`: a stream of rows in id order, cut into the files of shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, num_code_bytes
from pipeline.errors import CorruptFile
from pipeline.shard_index.index_manifest import ShardEntry
from pipeline.shard_index.shard_files import ShardFilesWriter


@dataclass(frozen=True, kw_only=True)
class RowOrigin:
    """Where rows come from, for messages, and the width of their codes."""

    collection: str
    table_version: int
    num_bits: int

    def corrupt(self, wrong: str, remedy: str) -> CorruptFile:
        return CorruptFile(f"collection {self.collection} version {self.table_version}", wrong, remedy)


@dataclass(frozen=True, kw_only=True)
class ShardCut:
    """The next `num_rows` rows of the stream become shard `name`, whose first row is `first_row` of the index."""

    name: str
    first_row: int
    num_rows: int


@dataclass(frozen=True)
class _Rows:
    ids: NDArray[np.int64]
    packed: NDArray[np.uint8]
    payload: pa.Table

    def __getitem__(self, rows: slice) -> _Rows:
        return _Rows(self.ids[rows], self.packed[rows], self.payload[rows])


def write_shards(
    folder: Path, cuts: Sequence[ShardCut], origin: RowOrigin, tables: Iterable[pa.Table]
) -> Iterator[ShardEntry]:
    """The shards as they are finished. `tables` hold `id`, `code` and payload columns, ids ascending throughout.

    Memory: one input table and one payload batch. Raises `CorruptFile` for repeated ids, codes of another width, or
    another number of rows than those of the cuts.
    """
    rows = _checked_rows(origin, tables)
    num_planned = sum(cut.num_rows for cut in cuts)
    waiting: _Rows | None = None
    num_done = 0
    for cut in cuts:
        with ShardFilesWriter(
            folder,
            cut.name,
            first_row=cut.first_row,
            num_rows=cut.num_rows,
            num_code_bytes=num_code_bytes(origin.num_bits),
        ) as writer:
            while writer.num_missing:
                waiting = waiting if waiting is not None else next(rows, None)
                if waiting is None:
                    raise _wrong_count(origin, num_done + cut.num_rows - writer.num_missing, num_planned)
                num_taken = min(writer.num_missing, len(waiting.ids))
                taken = waiting[slice(0, num_taken)]
                writer.write(taken.ids, taken.packed, taken.payload)
                waiting = waiting[slice(num_taken, None)] if num_taken < len(waiting.ids) else None
            yield writer.finish()
        num_done += cut.num_rows
    if waiting is not None or next(rows, None) is not None:
        raise _wrong_count(origin, "more", num_planned)


def _wrong_count(origin: RowOrigin, found: int | str, planned: int) -> CorruptFile:
    return origin.corrupt(f"its files hold {found} rows, its log says {planned}", "encode it again")


def _checked_rows(origin: RowOrigin, tables: Iterable[pa.Table]) -> Iterator[_Rows]:
    last_id = -1
    for table in tables:
        if not table.num_rows:
            continue
        ids = table.column("id").to_numpy()
        broken = np.flatnonzero(np.diff(ids, prepend=last_id) <= 0)
        if len(broken):
            named = ", ".join(str(item) for item in ids[broken[:5]])
            wrong = f"{len(broken)} ids are repeated or out of order: {named}"
            raise origin.corrupt(wrong, "encode it into a new collection")
        last_id = int(ids[-1])
        codes = BinaryCodes(_packed_codes(table.column("code"), num_code_bytes(origin.num_bits)), origin.num_bits)
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
