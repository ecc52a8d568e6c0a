"""Query pictures get the codes of the index, by its own model only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.decoders.image_decoder import DecodeLimits
from operators.errors import MediaTooLarge, NonFiniteFeatures, UndecodableMedia
from operators.features.pixel_features import PixelFeatures
from operators.search.search_queries import SearchQueries
from pipeline.errors import ModelMismatch
from pipeline.routing.query_encoder import QueryEncoder
from tests.pipeline.jobs.search_examples import decoded, fitted_model, picture
from tests.pipeline.shard_index.test_index_manifest import MANIFEST

MODEL = fitted_model()
OURS = replace(MANIFEST, model_fingerprint=MODEL.fingerprint, num_bits=MODEL.num_bits)


def make_encoder(limits: DecodeLimits | None = None) -> QueryEncoder:
    return QueryEncoder(MODEL, OURS, limits or DecodeLimits())


def codes_of(queries: SearchQueries) -> BinaryCodes:
    assert isinstance(queries, BinaryCodes)
    return queries


def test_a_foreign_model_is_refused_with_both_fingerprints() -> None:
    other = fitted_model(seed=2)
    with pytest.raises(
        ModelMismatch, match=f"index photos holds codes of model {MODEL.fingerprint}.*{other.fingerprint}"
    ):
        QueryEncoder(other, OURS, DecodeLimits())


def test_codes_are_those_of_the_encode_job() -> None:
    images = [picture(number) for number in range(5)]
    expected = MODEL.encode_pixels(decoded(images))
    encoded = make_encoder().encode_images(images)
    assert np.array_equal(codes_of(encoded.queries).packed, expected.packed)
    assert encoded.rows.tolist() == [0, 1, 2, 3, 4]
    assert codes_of(make_encoder().encode_image(images[3])).to_hex() == [expected.to_hex()[3]]


def test_bad_pictures_are_named_and_the_rest_is_encoded() -> None:
    encoded = make_encoder(DecodeLimits(max_bytes=500)).encode_images(
        [b"text", picture(1), None, bytes(501), picture(2)]
    )
    assert encoded.rows.tolist() == [1, 4]
    expected = MODEL.encode_pixels(decoded([picture(1), picture(2)]))
    assert np.array_equal(codes_of(encoded.queries).packed, expected.packed)
    assert set(encoded.rejects) == {0, 2, 3}
    assert "not a JPEG" in encoded.rejects[0]
    assert encoded.rejects[2] == "no picture given"
    assert "limit is 500" in encoded.rejects[3]


def test_one_bad_picture_raises() -> None:
    with pytest.raises(UndecodableMedia):
        make_encoder().encode_image(b"text")
    with pytest.raises(MediaTooLarge):
        make_encoder(DecodeLimits(max_bytes=3)).encode_image(picture(0))


def test_no_picture_left() -> None:
    assert len(make_encoder().encode_images([b"", None]).queries) == 0


def test_features_that_are_not_finite_are_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PixelFeatures.extract

    def first_row_broken(self: PixelFeatures, pixels: np.ndarray) -> np.ndarray:
        if len(pixels) == 3:
            raise NonFiniteFeatures((0, 2))
        return whole(self, pixels)

    monkeypatch.setattr(PixelFeatures, "extract", first_row_broken)
    encoded = make_encoder().encode_images([b"text", picture(0), picture(1), picture(2)])
    assert encoded.rows.tolist() == [2]
    assert encoded.rejects.keys() == {0, 1, 3}
    assert "NaN" in encoded.rejects[3]
