"""Kept features come back bit for bit, and damaged ones are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.local_store import LocalStore
from pipeline.training import feature_cache
from pipeline.training.feature_cache import FeatureCache
from pipeline.training.sample_features import SampledFeatures
from tests.pipeline.training.training_examples import labelled_sample

SAMPLE = labelled_sample(50)


def _with_a_gap() -> SampledFeatures:
    """One item without a label."""
    fields = {**vars(SAMPLE), "labels": (None, *SAMPLE.labels[1:])}
    return SampledFeatures(**fields)


@pytest.mark.parametrize("part_bytes", [1, 32 * 7, 2**26])
def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int) -> None:
    monkeypatch.setattr(feature_cache, "_PART_BYTES", part_bytes)
    cache, sample = FeatureCache(str(tmp_path), LocalStore()), _with_a_gap()
    assert cache.load("d") is None
    cache.save("d", sample, {"seed": 0})
    found = cache.load("d")
    assert found is not None
    np.testing.assert_array_equal(found.features, sample.features)
    assert found.features.dtype == np.float32
    assert (found.keys, found.labels, found.num_skipped) == (sample.keys, sample.labels, 3)
    assert found.picture_sha256 == sample.picture_sha256
    assert found.data_sha256 == sample.data_sha256
    assert cache.load("e") is None
    assert len(list(tmp_path.rglob("*.parquet"))) == {1: 50, 224: 8, 2**26: 1}[part_bytes]


def test_other_tools_can_read_it(tmp_path: Path) -> None:
    FeatureCache(str(tmp_path), LocalStore()).save("d", SAMPLE, {})
    table = pq.read_table(tmp_path / "features" / "d" / "part-00000.parquet")
    assert table.column_names == ["key", "label", "picture_sha256", "vector"]
    np.testing.assert_array_equal(np.stack(table["vector"].to_pylist()).astype(np.float32), SAMPLE.features)


@pytest.mark.parametrize("name", ["features.json", "part-00000.parquet"])
def test_a_changed_byte_is_refused(tmp_path: Path, name: str) -> None:
    cache = FeatureCache(str(tmp_path), LocalStore())
    cache.save("d", SAMPLE, {})
    path = tmp_path / "features" / "d" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptFile, match=rf"{name} is corrupt.*delete its folder"):
        cache.load("d")


def test_a_missing_part_is_refused(tmp_path: Path) -> None:
    cache = FeatureCache(str(tmp_path), LocalStore())
    cache.save("d", SAMPLE, {})
    next(tmp_path.rglob("*.parquet")).unlink()
    with pytest.raises(CorruptFile, match="it is missing"):
        cache.load("d")


def test_an_unfinished_one_is_none(tmp_path: Path) -> None:
    """Killed before the record was written."""
    cache = FeatureCache(str(tmp_path), LocalStore())
    cache.save("d", SAMPLE, {})
    (tmp_path / "features" / "d" / "features.json").unlink()
    assert cache.load("d") is None
