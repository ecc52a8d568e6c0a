from pathlib import Path

from pipeline.evaluation.source_pictures import source_pictures
from tests.source_samples import cifar10_bytes


def test_whole_pictures_are_kept_in_order_with_names_of_classes(tmp_path: Path) -> None:
    broken = b"\x0b" + cifar10_bytes([1])[1:]
    (tmp_path / "test_batch.bin").write_bytes(cifar10_bytes([0, 1]) + broken + cifar10_bytes([2]))
    pictures = source_pictures(str(tmp_path), "cifar10", ("cat", "dog", "owl"))
    assert pictures.labels == (("cat",), ("dog",), ("owl",))
    assert pictures.keys == ("test_batch.bin#0", "test_batch.bin#1", "test_batch.bin#3")
    assert len({pictures.read(row) for row in range(3)}) == 3
