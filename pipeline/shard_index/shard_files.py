"""`ShardFilesWriter`: streams one shard's three files to a folder, with sizes and digests taken on the way.

`.codes.npy` uint8 `(num_rows, num_bytes)`, `.ids.npy` int64 `(num_rows,)`, `.payload.arrow` Arrow IPC, uncompressed, in
record batches of `PAYLOAD_BATCH_ROWS` rows (the last may be shorter). All three can be memory-mapped.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from pipeline.shard_index.index_manifest import IndexFile, ShardEntry

PAYLOAD_BATCH_ROWS = 16_384


class HashedFile:
    """A file opened for writing that knows its size and sha256. Enough of a file for numpy and Arrow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def write(self, data: bytes) -> int:
        num_bytes = self._file.write(data)
        self._sha256.update(data)
        self._size_bytes += num_bytes
        return num_bytes

    def tell(self) -> int:
        return self._size_bytes

    def flush(self) -> None:
        self._file.flush()

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        """Make the bytes survive a power cut: the manifest that is written later names them."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def entry(self) -> IndexFile:
        return IndexFile(name=self._path.name, size_bytes=self._size_bytes, sha256=self._sha256.hexdigest())


class ShardFilesWriter:
    """Writes shard `name` of exactly `num_rows` rows. Use as a context manager; memory: one payload batch."""

    def __init__(self, folder: Path, name: str, *, first_row: int, num_rows: int, num_code_bytes: int) -> None:
        self._name = name
        self._first_row = first_row
        self._num_rows = num_rows
        self._num_written = 0
        self._ends: tuple[int, int] | None = None
        self._codes = HashedFile(folder / f"{name}.codes.npy")
        self._ids = HashedFile(folder / f"{name}.ids.npy")
        self._payload = HashedFile(folder / f"{name}.payload.arrow")
        self._payload_writer: pa.ipc.RecordBatchFileWriter | None = None
        self._waiting: list[pa.Table] = []
        _write_npy_header(self._codes, np.dtype(np.uint8), (num_rows, num_code_bytes))
        _write_npy_header(self._ids, np.dtype(np.int64), (num_rows,))

    def __enter__(self) -> ShardFilesWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._codes, self._ids, self._payload):
            file.close()

    @property
    def num_missing(self) -> int:
        return self._num_rows - self._num_written

    def write(self, ids: NDArray[np.int64], packed: NDArray[np.uint8], payload: pa.Table) -> None:
        """Append rows: ids `(n,)` ascending, packed codes `(n, num_code_bytes)`, payload of n rows."""
        if not 0 < len(ids) <= self.num_missing:
            raise ValueError(f"{self._name}: {len(ids)} rows, {self.num_missing} missing")
        self._ends = (self._ends[0] if self._ends else int(ids[0]), int(ids[-1]))
        self._ids.write(ids.tobytes())
        self._codes.write(packed.tobytes())
        self._num_written += len(ids)
        self._waiting.append(payload)
        self._write_payload(at_least=PAYLOAD_BATCH_ROWS)

    def finish(self) -> ShardEntry:
        """Complete the files. Raises `ValueError` when rows are missing."""
        if self._ends is None or self.num_missing:
            raise ValueError(f"{self._name}: {self.num_missing} rows are missing")
        self._write_payload(at_least=1)
        if self._payload_writer is not None:
            self._payload_writer.close()
        for file in (self._codes, self._ids, self._payload):
            file.close()
        return ShardEntry(
            name=self._name,
            first_row=self._first_row,
            num_rows=self._num_rows,
            first_id=self._ends[0],
            last_id=self._ends[1],
            codes=self._codes.entry(),
            ids=self._ids.entry(),
            payload=self._payload.entry(),
        )

    def _write_payload(self, *, at_least: int) -> None:
        """Write full batches while `at_least` rows wait."""
        if sum(table.num_rows for table in self._waiting) < at_least:
            return
        rows = pa.concat_tables(self._waiting)
        start = 0
        while rows.num_rows - start >= at_least:
            batch = rows.slice(start, PAYLOAD_BATCH_ROWS).combine_chunks()
            if self._payload_writer is None:
                self._payload_writer = pa.ipc.new_file(pa.PythonFile(self._payload, mode="w"), rows.schema)
            self._payload_writer.write_batch(batch.to_batches()[0])
            start += batch.num_rows
        self._waiting = [rows.slice(start)] if start < rows.num_rows else []


def _write_npy_header(file: HashedFile, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    header = {"descr": npy_format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy_format.write_array_header_1_0(file, header)
