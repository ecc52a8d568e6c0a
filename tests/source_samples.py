"""One small source of every kind, written to a folder, with the labels and carried values it should give."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake
from numpy.typing import NDArray
from PIL import Image

from pipeline.sources.source_settings import SourceSettings
from tests.s3_server import S3Server

NUM_ITEMS = 23
TASK_ITEMS = 5
MAX_BYTES = 2**20


def picture(number: int) -> bytes:
    """A PNG that differs for every number."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def label(number: int) -> str:
    return ("cat", "dog", "eel")[number % 3]


def write_folder(root: Path) -> SourceSettings:
    for number in range(NUM_ITEMS):
        path = root / label(number) / "inner" / f"{number:03d}.PNG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    (root / "notes.txt").write_text("no picture")
    return SourceSettings(uri=str(root), task_items=TASK_ITEMS)


def picture_table(numbers: Iterable[int]) -> pa.Table:
    numbers = list(numbers)
    return pa.table(
        {
            "image": [picture(number) for number in numbers],
            "name": [f"picture {number}" for number in numbers],
            "label": [label(number) for number in numbers],
            "stars": pa.array(numbers, pa.int32()),
        }
    )


def write_table(root: Path) -> SourceSettings:
    root.mkdir(parents=True, exist_ok=True)
    pq.write_table(picture_table(range(10)), root / "a.parquet", row_group_size=7)
    pq.write_table(picture_table(range(10, NUM_ITEMS)), root / "b.parquet", row_group_size=2)
    return SourceSettings(uri=str(root), label_column="label", carry=("stars", "name"), task_items=TASK_ITEMS)


def write_delta(root: Path) -> SourceSettings:
    write_deltalake(root, picture_table(range(10)), partition_by=["label"])
    write_deltalake(root, picture_table(range(10, NUM_ITEMS)), mode="append")
    return SourceSettings(
        uri=str(root), key_column="name", label_column="label", carry=("stars", "name"), task_items=TASK_ITEMS
    )


def write_uri_table(root: Path) -> SourceSettings:
    root.mkdir(parents=True, exist_ok=True)
    for number in range(NUM_ITEMS):
        (root / f"{number}#1.png").write_bytes(picture(number))
    table = picture_table(range(NUM_ITEMS)).drop_columns(["image"])
    table = table.append_column("where", pa.array([f"{number}#1.png" for number in range(NUM_ITEMS)]))
    pq.write_table(table, root / "list.parquet")
    return SourceSettings(
        uri=str(root),
        kind="table",
        uri_column="where",
        label_column="label",
        carry=("stars", "name"),
        task_items=TASK_ITEMS,
    )


def tar_bytes(members: Iterable[tuple[str, bytes]], tar_format: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def sample_members(numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    members = []
    for number in numbers:
        fields = {"stars": number, "name": f"picture {number}"}
        members += [
            (f"x/{number:04d}.cls", label(number).encode()),
            (f"x/{number:04d}.png", picture(number)),
            (f"x/{number:04d}.json", json.dumps(fields).encode()),
        ]
    return members


def write_webdataset(root: Path) -> SourceSettings:
    root.mkdir(parents=True, exist_ok=True)
    (root / "part-0.tar").write_bytes(tar_bytes(sample_members(range(10))))
    (root / "part-1.tar.gz").write_bytes(gzip.compress(tar_bytes(sample_members(range(10, NUM_ITEMS)))))
    return SourceSettings(uri=str(root), carry=("stars", "name"), task_items=TASK_ITEMS)


def idx_bytes(values: NDArray[np.uint8]) -> bytes:
    header = bytes((0, 0, 8, values.ndim)) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.tobytes()


def idx_pictures(num_items: int = NUM_ITEMS) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (num_items, 7, 5), np.uint8)


def write_idx(root: Path) -> SourceSettings:
    root.mkdir(parents=True, exist_ok=True)
    pictures, labels = idx_pictures(), np.arange(NUM_ITEMS, dtype=np.uint8) % 3
    (root / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(pictures[:10]))
    (root / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels[:10]))
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pictures[10:])))
    (root / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels[10:])))
    return SourceSettings(uri=str(root), task_items=TASK_ITEMS)


def cifar10_bytes(numbers: Iterable[int]) -> bytes:
    return b"".join(bytes((number % 3,)) + np.random.default_rng(number).bytes(3 * 32 * 32) for number in numbers)


def write_cifar10(root: Path) -> SourceSettings:
    root.mkdir(parents=True, exist_ok=True)
    (root / "data_batch_1.bin").write_bytes(cifar10_bytes(range(10)))
    (root / "test_batch.bin").write_bytes(cifar10_bytes(range(10, NUM_ITEMS)))
    (root / "batches.meta.txt").write_text("airplane\n")
    return SourceSettings(uri=str(root), task_items=TASK_ITEMS)


@dataclass(frozen=True)
class SampleKind:
    """How to write a source, a file of it that the items depend on, and whether it has words for labels and columns."""

    write: Callable[[Path], SourceSettings]
    changed_file: str
    has_words: bool = True
    has_columns: bool = True


SAMPLE_KINDS = {
    "folder": SampleKind(write_folder, "cat/inner/003.PNG", has_columns=False),
    "table": SampleKind(write_table, "b.parquet"),
    "delta": SampleKind(write_delta, "label=cat/*.parquet"),
    "uri_table": SampleKind(write_uri_table, "list.parquet"),
    "webdataset": SampleKind(write_webdataset, "part-1.tar.gz"),
    "idx": SampleKind(write_idx, "train-labels-idx1-ubyte.gz", has_words=False, has_columns=False),
    "cifar10": SampleKind(write_cifar10, "test_batch.bin", has_words=False, has_columns=False),
}


def upload(folder: Path, server: S3Server) -> str:
    """Copy a folder to the test's bucket and remove it here; the URI of the copy."""
    client = boto3.session.Session().client("s3", endpoint_url=server.endpoint_url)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=server.bucket, Key=key, Body=path.read_bytes())
    shutil.rmtree(folder)
    return f"{server.uri}/{folder.name}"


def at(settings: SourceSettings, uri: str) -> SourceSettings:
    return replace(settings, uri=uri)
