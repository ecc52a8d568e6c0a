"""PCAH: signs of principal components, against the textbook."""

import numpy as np
import pytest

from operators.errors import InvalidSetting, ShapeMismatch
from operators.hashers.pca_hashing import PcaHashing


def _features(num_items: int = 300) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.standard_normal((num_items, 6)) * [9, 5, 3, 2, 1, 0.5] + 7).astype(np.float32)


def test_bits_are_signs_of_the_leading_components() -> None:
    features = _features()
    hasher = PcaHashing(num_bits=3, seed=0)
    hasher.fit(features)
    _, _, directions = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    expected = (features - features.mean(axis=0)) @ directions[:3].T >= 0
    agreement = (hasher.encode(features).to_bits() == expected).mean(axis=0)
    # The sign of a component is arbitrary; a few items may lie on the edge.
    assert (np.maximum(agreement, 1 - agreement) > 0.99).all()


@pytest.mark.parametrize(
    ("num_bits", "num_items", "expected"), [(7, 300, "at most 6"), (5, 5, "fewer than the 5 items")]
)
def test_more_bits_than_the_data_has_are_refused(num_bits: int, num_items: int, expected: str) -> None:
    with pytest.raises(InvalidSetting, match=expected):
        PcaHashing(num_bits=num_bits, seed=0).fit(_features(num_items))


def test_directions_without_variance_are_refused() -> None:
    features = _features()
    features[:, 4:] = 1
    with pytest.raises(InvalidSetting, match="at most 4, the directions in which features vary"):
        PcaHashing(num_bits=5, seed=0).fit(features)


def test_tensors_of_another_width_are_refused() -> None:
    hasher = PcaHashing(num_bits=3, seed=0)
    hasher.fit(_features())
    with pytest.raises(ShapeMismatch, match="num_dims, 2"):
        PcaHashing.restore({"num_bits": 2, "seed": 0}, hasher.tensors())
