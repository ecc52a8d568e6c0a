"""Sampled items to rows: order, what is skipped, and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from operators.decoders.image_decoder import DecodeLimits, decode_image
from operators.features.feature_registry import create_features
from operators.features.pixel_features import PixelFeatures
from pipeline.errors import EmptySource
from pipeline.records import FailedItem, FetchedItem
from pipeline.training.sample_features import SampledFeatures, sample_features
from tests.pipeline.training.picture_folders import write_classes

EXTRACTOR = create_features("pixels", side=8)


def _items(folder: Path) -> Iterator[FetchedItem | FailedItem]:
    for path in sorted(write_classes(folder, per_class=70).rglob("*.png")):
        yield FetchedItem(key=path.name, uri=str(path), data=path.read_bytes(), etag="", label=path.parent.name)
    yield FailedItem(key="lost", uri="lost", stage="fetch", reason="not_found", detail="")
    yield FetchedItem(key="broken", uri="broken", data=b"<html>", etag="", label="c0")


def _sampled(items: list[FetchedItem | FailedItem], num_threads: int = 1) -> SampledFeatures:
    return sample_features(items, EXTRACTOR, limits=DecodeLimits(), num_threads=num_threads)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_rows_are_the_pictures_in_order(tmp_path: Path, num_threads: int) -> None:
    items = list(_items(tmp_path))
    sample = _sampled(items, num_threads)
    pictures = [item for item in items if isinstance(item, FetchedItem) and item.key != "broken"]
    expected = EXTRACTOR.extract(np.stack([decode_image(item.data, side=8).pixels for item in pictures]))
    np.testing.assert_array_equal(sample.features, expected)
    assert sample.keys == tuple(item.key for item in pictures)
    assert sample.labels == tuple(item.label for item in pictures)
    assert sample.num_skipped == 2
    digests = [hashlib.sha256(item.data).digest() for item in pictures]
    assert sample.data_sha256 == hashlib.sha256(b"".join(digests)).hexdigest()


def test_classes_are_numbered_by_name(tmp_path: Path) -> None:
    sample = _sampled(list(_items(tmp_path)))
    numbers = sample.class_numbers()
    assert numbers is not None
    assert numbers.dtype == np.int64
    assert [f"c{number}" for number in numbers] == list(sample.labels)
    unlabelled = SampledFeatures(**{**vars(sample), "labels": (None, *sample.labels[1:])})
    assert unlabelled.class_numbers() is None
    assert unlabelled.num_unlabelled == 1


def test_rows_that_are_not_finite_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(_items(tmp_path))[:5]

    def extract(self: PixelFeatures, pixels: np.ndarray) -> np.ndarray:
        rows = np.arange(2 * len(pixels), dtype=np.float32).reshape(-1, 2)
        rows[3, 1] = np.nan
        return rows

    monkeypatch.setattr(PixelFeatures, "extract", extract)
    sample = _sampled(items)
    assert sample.features[:, 0].tolist() == [0, 2, 4, 8]
    assert sample.keys == tuple(item.key for item in (*items[:3], items[4]))
    assert sample.num_skipped == 1


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(EmptySource, match="1 sampled items could not be read or decoded"):
        _sampled([FetchedItem(key="broken", uri="broken", data=b"<html>", etag="")])
