"""With a cache a second training reads no picture; anything that changes the features changes the digest."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from operators.decoders.image_decoder import DecodeLimits
from operators.features.feature_registry import create_features
from pipeline.errors import EmptySource, SourceNotFound
from pipeline.object_store.local_store import LocalStore
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.feature_cache import FeatureCache
from pipeline.training.fit_request import FitRequest
from pipeline.training.sample_reading import digest_of, read_sample, sample_identity
from tests.pipeline.training.picture_folders import write_classes

EXTRACTOR = create_features("pixels", side=8)


@pytest.fixture
def request_(tmp_path: Path) -> FitRequest:
    source = SourceSettings(uri=str(write_classes(tmp_path / "pictures")))
    return FitRequest(method="lsh", num_bits=8, features="pixels", source=source, sample_items=50)


def _digest(request: FitRequest, **features: int) -> str:
    extractor = create_features("pixels", **{"side": 8, **features})
    return digest_of(sample_identity(request, open_source(request.source), extractor))


def test_another_method_reads_no_picture(tmp_path: Path, request_: FitRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FeatureCache(str(tmp_path / "catalog"), LocalStore())
    read = read_sample(request_, EXTRACTOR)
    kept = read_sample(request_, EXTRACTOR, cache)
    monkeypatch.setattr("pipeline.training.sample_reading.sample_items", _refuse)
    again = read_sample(dataclasses.replace(request_, method="itq", num_bits=16), EXTRACTOR, cache)
    for sample in (kept, again):
        np.testing.assert_array_equal(sample.features, read.features)
        assert (sample.keys, sample.labels) == (read.keys, read.labels)
        assert sample.data_sha256 == read.data_sha256
    with pytest.raises(AssertionError, match="a picture is read"):
        read_sample(dataclasses.replace(request_, seed=1), EXTRACTOR, cache)


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("a picture is read")


def test_what_changes_the_digest(request_: FitRequest) -> None:
    first = _digest(request_)
    others = [
        _digest(dataclasses.replace(request_, seed=1)),
        _digest(dataclasses.replace(request_, sample_items=51)),
        _digest(dataclasses.replace(request_, limits=DecodeLimits(max_bytes=10**6))),
        _digest(request_, side=9),
    ]
    picture = next(Path(request_.source.uri).rglob("*.png"))
    os.utime(picture, ns=(1, 1))
    others.append(_digest(request_))
    picture.unlink()
    others.append(_digest(request_))
    assert len({first, *others}) == 7


def test_what_does_not(request_: FitRequest) -> None:
    other = dataclasses.replace(request_, method="itq", num_bits=32, num_threads=4, hasher_settings={"a": 1})
    assert _digest(request_) == _digest(other)


def test_a_source_that_is_empty_or_gone(tmp_path: Path, request_: FitRequest) -> None:
    cache = FeatureCache(str(tmp_path / "catalog"), LocalStore())
    for path in (tmp_path / "pictures").rglob("*.png"):
        path.unlink()
    with pytest.raises(EmptySource):
        read_sample(request_, EXTRACTOR, cache)
    gone = dataclasses.replace(request_, source=SourceSettings(uri=str(tmp_path / "nowhere")))
    with pytest.raises(SourceNotFound):
        read_sample(gone, EXTRACTOR, cache)
