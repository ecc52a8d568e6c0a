from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from operators.errors import MediaTooLarge
from pipeline.errors import CorruptFile, ObjectNotFound
from pipeline.sources.media_fetch import fetch_media
from tests.source_samples import cifar10_bytes, idx_bytes, idx_pictures, sample_members, tar_bytes, write_table


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "t.tar").write_bytes(tar_bytes(sample_members(range(2))))
    (tmp_path / "x-images-idx3-ubyte").write_bytes(idx_bytes(idx_pictures(2)))
    (tmp_path / "test_batch.bin").write_bytes(cifar10_bytes(range(2)))
    (tmp_path / "1.jpg").write_bytes(b"x" * 50)
    write_table(tmp_path)
    return tmp_path


MISSING = [
    "2.jpg",
    "t.tar#x/0009.png",
    "gone.tar#a.png",
    "a.parquet#row=10&column=image",
    "a.parquet#row=x&column=image",
    "a.parquet#nonsense",
    "x-images-idx3-ubyte#2",
    "x-images-idx3-ubyte#-1",
    "test_batch.bin#2",
    "gone.parquet#row=1&column=image",
]


@pytest.mark.parametrize("name", MISSING)
def test_missing_parts_are_named(root: Path, name: str) -> None:
    with pytest.raises(ObjectNotFound, match=name.partition("#")[0]):
        fetch_media(f"{root}/{name}", max_bytes=10_000)


@pytest.mark.parametrize(
    "name",
    ["1.jpg", "t.tar#x/0001.png", "a.parquet#row=3&column=image", "x-images-idx3-ubyte#1", "test_batch.bin#1"],
)
def test_large_parts_are_refused(root: Path, name: str) -> None:
    assert len(fetch_media(f"{root}/{name}", max_bytes=10_000)) > 40
    with pytest.raises(MediaTooLarge):
        fetch_media(f"{root}/{name}", max_bytes=40)


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "t.tar#x/0001.png": lambda data: data[:2600],
    "a.parquet#row=3&column=image": lambda data: data[:100],
    "x-images-idx3-ubyte#1": lambda data: b"\xff" + data[1:],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_containers_are_named(root: Path, name: str) -> None:
    path = root / name.partition("#")[0]
    path.write_bytes(DAMAGED[name](path.read_bytes()))
    with pytest.raises(CorruptFile, match=path.name):
        fetch_media(f"{root}/{name}", max_bytes=10_000)
