"""Pictures in CIFAR-10's binary batches (Krizhevsky 2009): records of one label byte and 3 x 32 x 32 pixel bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmptySource, SourceError, UsageError
from pipeline.sources.array_part import ArrayPart
from pipeline.sources.file_listing import list_files
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.source import Source, SourceTask
from pipeline.sources.source_settings import SourceSettings, refuse_columns
from pipeline.sources.task_digest import task_digest

SIDE = 32
NUM_CLASSES = 10
RECORD_BYTES = 1 + 3 * SIDE * SIDE
_CIFAR100_RECORD_BYTES = 1 + RECORD_BYTES

_BINARY_NAME = re.compile(r"(data_batch_\d+|test_batch)\.bin")
_PICKLE_NAME = re.compile(r"data_batch_\d+|test_batch|batches\.meta")


@dataclass(frozen=True, kw_only=True)
class Cifar10Part(ArrayPart):
    """Rows of one batch file. The label is the class number."""

    def decode(self, record: bytes) -> tuple[NDArray[np.uint8], str | None]:
        if record[0] >= NUM_CLASSES:
            raise ValueError(f"class {record[0]}, expected 0 to {NUM_CLASSES - 1}; is this a CIFAR-10 batch?")
        planes = np.frombuffer(record, np.uint8, offset=1).reshape(3, SIDE, SIDE)
        return planes.transpose(1, 2, 0), str(record[0])


class Cifar10Source(Source):
    """`data_batch_1.bin` … and `test_batch.bin` below a folder or prefix, or one of them. The pickle version is
    refused: unpickling a downloaded file runs whatever it says."""

    def __init__(self, uri: str, settings: SourceSettings) -> None:
        refuse_columns(settings, "a CIFAR-10 batch")
        self._uri = uri
        self._task_items = settings.task_items

    @property
    def uri(self) -> str:
        return self._uri

    def carried_types(self) -> dict[str, str]:
        return {}

    def tasks(self) -> Iterator[SourceTask]:
        num_items = 0
        for file in list_files(self._uri):
            _refuse_pickle(file)
            if is_cifar10_name(file.key):
                for task in self._file_tasks(file):
                    num_items += task.num_items or 0
                    yield task
        if num_items == 0:
            raise EmptySource(f"{self._uri}: no CIFAR-10 batches; expected data_batch_1.bin … or test_batch.bin")

    def _file_tasks(self, file: ListedItem) -> Iterator[SourceTask]:
        if file.size_bytes % RECORD_BYTES and file.size_bytes % _CIFAR100_RECORD_BYTES == 0:
            raise SourceError(f"{file.uri}: looks like CIFAR-100, expected records of {RECORD_BYTES} bytes")
        # A piece of a record at the end counts, and becomes a rejected item.
        num_rows = -(-file.size_bytes // RECORD_BYTES)
        for first_row in range(0, num_rows, self._task_items):
            part = cifar10_part(file, range(first_row, min(first_row + self._task_items, num_rows)))
            fields = (file.key, file.size_bytes, file.etag, part.first_row, part.num_rows)
            digest = task_digest("cifar10", fields)
            yield SourceTask(source_uri=self._uri, digest=digest, num_items=part.num_rows, part=part)


def cifar10_part(file: ListedItem, rows: range) -> Cifar10Part:
    return Cifar10Part(file=file, first_row=rows.start, num_rows=len(rows), header_bytes=0, record_bytes=RECORD_BYTES)


def is_cifar10_name(name: str) -> bool:
    return _BINARY_NAME.fullmatch(name.rpartition("/")[2]) is not None


def is_cifar10_pickle_name(name: str) -> bool:
    return _PICKLE_NAME.fullmatch(name.rpartition("/")[2]) is not None


def _refuse_pickle(file: ListedItem) -> None:
    if is_cifar10_pickle_name(file.key):
        raise UsageError(
            f"{file.uri}: this is the Python (pickle) version of CIFAR-10, which is never read; "
            "use the binary version (cifar-10-binary.tar.gz, with data_batch_1.bin)"
        )
