"""Files of fixed-size records: a header, then one record after another. IDX and CIFAR-10 batches are such files."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.container_file import is_gzip_name, open_container, open_stream

_BATCH_RECORDS = 1024


def read_records(uri: str, *, header_bytes: int, record_bytes: int, rows: range) -> Iterator[bytes]:
    """The records of `rows` (consecutive), one bytes each; the last may be short and ends it where the file ends.

    Memory: a thousand records. A gzip file is unpacked from its beginning each time. Raises `ObjectNotFound`,
    `StorageError`, and what `DAMAGED_GZIP` lists for a damaged gzip file.
    """
    opened = open_stream(uri) if is_gzip_name(uri) else open_container(uri)
    with opened as file:
        file.seek(header_bytes + rows.start * record_bytes)
        remaining = len(rows)
        while remaining > 0:
            block = file.read(min(remaining, _BATCH_RECORDS) * record_bytes)
            for begin in range(0, len(block), record_bytes):
                yield block[begin : begin + record_bytes]
            if len(block) < min(remaining, _BATCH_RECORDS) * record_bytes:
                return
            remaining -= _BATCH_RECORDS


def read_header(uri: str, num_bytes: int) -> bytes:
    """The first bytes of the (unpacked) file; fewer when it is shorter. Raises as `read_records`."""
    with open_stream(uri) as stream:
        return stream.read(num_bytes)
