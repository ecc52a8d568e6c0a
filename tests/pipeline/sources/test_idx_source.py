from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import EmptySource, SourceError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.media_fetch import fetch_media
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.source_samples import MAX_BYTES, idx_bytes, idx_pictures

IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


def read_all(uri: Path, task_items: int = 4) -> list[FetchedItem | FailedItem]:
    source = open_source(SourceSettings(uri=str(uri), kind="idx", task_items=task_items))
    return [item for task in source.tasks() for item in read_items(task, max_bytes=MAX_BYTES)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_pixels_and_labels_come_through(tmp_path: Path, suffix: str) -> None:
    pictures, labels = idx_pictures(10), np.arange(10, dtype=np.uint8)
    data = idx_bytes(pictures)
    (tmp_path / f"{IMAGES}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    (tmp_path / LABELS).write_bytes(idx_bytes(labels))
    items = read_all(tmp_path)
    assert len(items) == 10
    for number, item in enumerate(items):
        assert isinstance(item, FetchedItem)
        assert (item.key, item.label) == (f"{IMAGES}{suffix}#{number}", str(number))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(item.data))), pictures[number])


def test_labels_may_be_missing_but_not_fewer(tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(idx_bytes(idx_pictures(3)))
    assert [item.label for item in read_all(tmp_path) if isinstance(item, FetchedItem)] == [None] * 3
    (tmp_path / LABELS).write_bytes(idx_bytes(np.zeros(2, np.uint8)))
    with pytest.raises(SourceError, match=f"{LABELS}: 2 labels for 3 pictures of .*{IMAGES}"):
        read_all(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_file_rejects_what_it_lacks(tmp_path: Path, packed: bool) -> None:
    data = idx_bytes(idx_pictures(10))
    cut = len(data) - 3 * 35 - 4
    path = tmp_path / (f"{IMAGES}.gz" if packed else IMAGES)
    path.write_bytes(gzip.compress(data, 0)[:cut] if packed else data[:cut])
    items = read_all(path)
    reasons = [item.reason for item in items if isinstance(item, FailedItem)]
    assert len(items) == 10
    assert reasons == (["corrupt"] * len(reasons) if packed else ["truncated"] * 4)
    assert 4 <= len(reasons) <= 6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an IDX header 00000803"),
        (idx_bytes(np.zeros(9, np.uint8)), "begins with 00000801"),
        (idx_bytes(np.zeros((2, 0, 5), np.uint8)), "announces pictures of 5 x 0 pixels"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / IMAGES).write_bytes(data)
    with pytest.raises(SourceError, match=message):
        read_all(tmp_path)


def test_nothing_there_is_empty(tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(idx_bytes(np.zeros((0, 5, 5), np.uint8)))
    with pytest.raises(EmptySource, match="no IDX pictures"):
        read_all(tmp_path)


def test_fashion_mnist(fashion_mnist_dir: Path) -> None:
    path = fashion_mnist_dir / "t10k-images-idx3-ubyte.gz"
    source = open_source(SourceSettings(uri=str(path), task_items=4000))
    tasks = list(source.tasks())
    assert [task.num_items for task in tasks] == [4000, 4000, 2000]
    items = [item for item in read_items(tasks[2], max_bytes=MAX_BYTES) if isinstance(item, FetchedItem)]
    assert len(items) == 2000
    assert [item.label for item in items[-5:]] == ["9", "1", "8", "1", "5"]
    assert fetch_media(items[-1].uri, max_bytes=MAX_BYTES) == items[-1].data
