from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import EmptySource, SourceError, UsageError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.source_samples import MAX_BYTES, cifar10_bytes


def read_all(root: Path, kind: str = "auto") -> list[FetchedItem | FailedItem]:
    source = open_source(SourceSettings(uri=str(root), kind=kind, task_items=2))
    return [item for task in source.tasks() for item in read_items(task, max_bytes=MAX_BYTES)]


def test_pixels_and_labels_come_through(tmp_path: Path) -> None:
    data = cifar10_bytes(range(3))
    (tmp_path / "data_batch_1.bin").write_bytes(data)
    for number, item in enumerate(read_all(tmp_path)):
        assert isinstance(item, FetchedItem)
        assert (item.key, item.label) == (f"data_batch_1.bin#{number}", str(number))
        red, green, blue = np.frombuffer(data, np.uint8).reshape(3, 3073)[number, 1:].reshape(3, 32, 32)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(item.data))), np.dstack([red, green, blue]))


def test_bad_records_are_named(tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(cifar10_bytes([1]) + b"\x0a" + cifar10_bytes([1])[1:] + b"\x01" * 100)
    items = read_all(tmp_path)
    assert [getattr(item, "reason", "ok") for item in items] == ["ok", "corrupt", "truncated"]


@pytest.mark.parametrize("kind", ["auto", "cifar10"])
@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta"])
def test_the_pickle_version_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02}")
    with pytest.raises(UsageError, match=r"pickle.*never read; use the binary version \(cifar-10-binary\.tar\.gz"):
        read_all(tmp_path, kind)


def test_cifar100_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(bytes(3074 * 2))
    with pytest.raises(SourceError, match="looks like CIFAR-100"):
        read_all(tmp_path)


def test_nothing_there_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptySource, match="no CIFAR-10 batches"):
        read_all(tmp_path, "cifar10")
