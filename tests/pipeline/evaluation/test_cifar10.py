from pathlib import Path

import numpy as np
import pytest

from operators.decoders.image_decoder import decode_image
from pipeline.errors import CorruptFile, UsageError
from pipeline.evaluation import cifar10
from pipeline.evaluation.cifar10 import BATCH_FILES, CIFAR10_PROTOCOLS, CLASSES, Cifar10A, Cifar10B, Cifar10E
from pipeline.evaluation.class_split import ClassSplit

_PER_FILE = 50


def _write_batches(folder: Path, names: tuple[str, ...] = BATCH_FILES) -> None:
    for number, name in enumerate(names):
        records = np.zeros((_PER_FILE, 3073), np.uint8)
        records[:, 0] = np.arange(_PER_FILE) % 10
        records[:, 1:1025], records[:, 2049:] = number, 9  # red, blue
        (folder / name).write_bytes(records.tobytes())


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    _write_batches(tmp_path)
    monkeypatch.setattr(cifar10, "NUM_PICTURES", 6 * _PER_FILE)
    return str(tmp_path)


def test_all_six_files_are_split(batches: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cifar10B, "split", ClassSplit(queries_per_class=2, training_per_class=5, training_apart=True))
    data = Cifar10B(batches, seed=0).load()
    assert data.training is not None
    assert (len(data.queries), len(data.training), len(data.database)) == (20, 50, 230)
    assert {label for (label,) in data.queries.labels} == set(CLASSES)
    files = {key.split("#")[0] for key in data.database.keys}
    assert files == set(BATCH_FILES)
    row = next(row for row, key in enumerate(data.database.keys) if key.startswith("data_batch_4.bin"))
    assert decode_image(data.database.read(row), side=32).pixels[5, 5].tolist() == [3, 0, 9]


def test_the_published_sizes() -> None:
    sizes = {}
    for protocol in CIFAR10_PROTOCOLS:
        split = protocol.split
        num_rest = 60_000 - 10 * split.queries_per_class
        training = num_rest if split.training_per_class is None else 10 * split.training_per_class
        database = num_rest - training if split.training_apart else num_rest
        sizes[protocol.name[-1]] = (10 * split.queries_per_class, database, training)
    assert sizes == {
        "a": (1000, 59_000, 59_000),
        "b": (1000, 54_000, 5000),
        "c": (1000, 59_000, 5000),
        "d": (10_000, 50_000, 50_000),
        "e": (10_000, 50_000, 5000),
    }


def test_missing_files_are_named_with_their_home(tmp_path: Path) -> None:
    _write_batches(tmp_path, BATCH_FILES[:4])
    with pytest.raises(UsageError, match=r"needs data_batch_5\.bin, test_batch\.bin; .*cifar-10-binary\.tar\.gz"):
        Cifar10A(str(tmp_path), seed=0).load()
    with pytest.raises(UsageError, match=r"--data-dir"):
        Cifar10A(None, seed=0).load()


def test_shortened_batches_are_not_the_protocol(tmp_path: Path) -> None:
    _write_batches(tmp_path)
    with pytest.raises(CorruptFile, match="300 whole pictures, 60,000 expected"):
        Cifar10E(str(tmp_path), seed=0).load()


def test_pictures_are_looked_at_in_their_own_size() -> None:
    assert Cifar10A(None, 0).feature_settings("pixels") == {"side": 32}
    assert Cifar10A(None, 0).feature_settings("gist") == {}
