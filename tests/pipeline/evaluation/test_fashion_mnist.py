import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from operators.decoders.image_decoder import decode_image
from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation.fashion_mnist import DEBIAN_FOLDER, FashionMnist


def _write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), compresslevel=1))


def _write_files(folder: Path, num_train: int) -> None:
    for prefix, count in (("train", num_train), ("t10k", 10_000)):
        pictures = np.zeros((count, 28, 28), np.uint8)
        pictures[:, 0, 0] = np.arange(count) % 251
        _write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", pictures)
        _write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", (np.arange(count) % 10).astype(np.uint8))


def test_test_pictures_ask_training_pictures(tmp_path: Path) -> None:
    _write_files(tmp_path, 60_000)
    data = FashionMnist(str(tmp_path)).load()
    assert (len(data.queries), len(data.database)) == (10_000, 60_000)
    assert data.database.labels[7] == ("Sneaker",)
    assert decode_image(data.database.read(300), side=28).pixels[0, 0].tolist() == [300 % 251] * 3


def test_missing_files_are_named_with_package_and_place(tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(UsageError, match="dataset-fashion-mnist") as caught:
        FashionMnist(str(tmp_path)).load()
    message = str(caught.value)
    assert "train-images-idx3-ubyte.gz" in message
    assert "train-labels" not in message
    assert str(tmp_path) in message
    assert str(DEBIAN_FOLDER) in message


def test_a_shortened_data_set_is_not_the_protocol(tmp_path: Path) -> None:
    _write_files(tmp_path, 59_999)
    with pytest.raises(CorruptFile, match="59,999 whole pictures with labels, 60,000 expected"):
        FashionMnist(str(tmp_path)).load()


def test_pictures_are_looked_at_in_their_own_size() -> None:
    assert FashionMnist().feature_settings("hog") == {"side": 28, "num_orientations": 4}
    assert FashionMnist().feature_settings("pixels") == {"side": 28, "gray": True}
    assert FashionMnist().feature_settings("gist") == {}
