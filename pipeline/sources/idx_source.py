"""Pictures in IDX files, the format of MNIST and Fashion-MNIST (LeCun, Cortes, Burges: "The MNIST database")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmptySource, ObjectNotFound, SourceError
from pipeline.object_store.open_store import open_store
from pipeline.sources.array_part import ArrayPart
from pipeline.sources.container_file import DAMAGED_GZIP
from pipeline.sources.fetch_fault import FetchFault, version_fault
from pipeline.sources.file_listing import list_files
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.record_file import read_header, read_records
from pipeline.sources.source import Source, SourceTask
from pipeline.sources.source_settings import SourceSettings, refuse_columns
from pipeline.sources.task_digest import task_digest

# Two zero bytes, 8 for unsigned bytes, the number of dimensions.
_IMAGES_MAGIC = b"\0\0\x08\x03"
_LABELS_MAGIC = b"\0\0\x08\x01"
_IMAGES_HEADER_BYTES = 16
_LABELS_HEADER_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class IdxPart(ArrayPart):
    """Rows of an images file; `labels_file` is its labels file, if there is one."""

    height: int
    width: int
    labels_file: ListedItem | None

    def decode(self, record: bytes) -> tuple[NDArray[np.uint8], str | None]:
        return np.frombuffer(record, np.uint8).reshape(self.height, self.width), None

    def labels(self, rows: range) -> Iterator[str | None]:
        if self.labels_file is None:
            return super().labels(rows)
        uri = self.labels_file.uri
        records = read_records(uri, header_bytes=_LABELS_HEADER_BYTES, record_bytes=1, rows=rows)
        return (str(record[0]) for record in records)

    def version_fault(self) -> FetchFault | None:
        fault = super().version_fault()
        if fault is None and self.labels_file is not None:
            return version_fault(self.labels_file.uri, self.labels_file.etag)
        return fault


class IdxSource(Source):
    """Every images file (`…images-idx3-ubyte`, plain or `.gz`) below a folder or prefix, or one of them. Labels come
    from the file beside it that is named `labels-idx1` instead of `images-idx3`, as decimal numbers."""

    def __init__(self, uri: str, settings: SourceSettings) -> None:
        refuse_columns(settings, "an IDX file")
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
            if is_idx_name(file.key):
                for task in self._file_tasks(file):
                    num_items += task.num_items or 0
                    yield task
        if num_items == 0:
            raise EmptySource(f"{self._uri}: no IDX pictures; expected files named …images-idx3-ubyte or ….gz")

    def _file_tasks(self, file: ListedItem) -> Iterator[SourceTask]:
        shape = images_shape(file.uri)
        total_rows = shape[0]
        labels = _labels_beside(file, total_rows)
        labels_mark = (labels.size_bytes, labels.etag) if labels else ()
        for first_row in range(0, total_rows, self._task_items):
            num_rows = min(self._task_items, total_rows - first_row)
            fields = (file.key, file.size_bytes, file.etag, first_row, num_rows, *labels_mark)
            yield SourceTask(
                source_uri=self._uri,
                digest=task_digest("idx", fields),
                num_items=num_rows,
                part=idx_part(file, range(first_row, first_row + num_rows), shape, labels),
            )


def idx_part(file: ListedItem, rows: range, shape: tuple[int, int, int], labels: ListedItem | None = None) -> IdxPart:
    """Rows of an images file of the shape that `images_shape` gives."""
    _, height, width = shape
    return IdxPart(
        file=file,
        first_row=rows.start,
        num_rows=len(rows),
        header_bytes=_IMAGES_HEADER_BYTES,
        record_bytes=height * width,
        height=height,
        width=width,
        labels_file=labels,
    )


def is_idx_name(name: str) -> bool:
    return name.lower().endswith(("images-idx3-ubyte", "images-idx3-ubyte.gz"))


def images_shape(uri: str) -> tuple[int, int, int]:
    """Rows, height and width from the header of an images file. Raises `SourceError` when it is none."""
    header = _header(uri, _IMAGES_MAGIC, _IMAGES_HEADER_BYTES)
    num_rows, height, width = (int.from_bytes(header[at : at + 4], "big") for at in (4, 8, 12))
    if not 0 < height * width <= 2**26:
        raise SourceError(f"{uri}: announces pictures of {width} x {height} pixels")
    return num_rows, height, width


def _labels_beside(images: ListedItem, num_rows: int) -> ListedItem | None:
    stem = images.uri.removesuffix(".gz")
    at = stem.lower().rindex("images-idx3")
    plain = f"{stem[:at]}labels-idx1{stem[at + len('images-idx3') :]}"
    for uri in (plain, f"{plain}.gz"):
        try:
            info = open_store(uri).info(uri)
        except ObjectNotFound:
            continue
        num_labels = int.from_bytes(_header(uri, _LABELS_MAGIC, _LABELS_HEADER_BYTES)[4:], "big")
        if num_labels != num_rows:
            raise SourceError(f"{uri}: {num_labels:,} labels for {num_rows:,} pictures of {images.uri}")
        return ListedItem(key=uri, uri=uri, size_bytes=info.size_bytes, etag=info.etag)
    return None


def _header(uri: str, magic: bytes, num_bytes: int) -> bytes:
    try:
        header = read_header(uri, num_bytes)
    except DAMAGED_GZIP as error:
        raise SourceError(f"{uri}: damaged compressed data: {error}") from error
    if len(header) < num_bytes or not header.startswith(magic):
        raise SourceError(f"{uri}: begins with {header[:4].hex()}, expected an IDX header {magic.hex()}")
    return header
