"""Features are checked before they are hashed."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import NonFiniteFeatures, ShapeMismatch
from operators.quantization.feature_rows import check_feature_rows


def test_finite_rows_pass() -> None:
    check_feature_rows(np.zeros((0, 3), dtype=np.float32), 3)
    check_feature_rows(np.full((2, 3), np.finfo(np.float32).max, dtype=np.float32))


@pytest.mark.parametrize(
    "features",
    [np.zeros((2, 3)), np.zeros(3, dtype=np.float32), np.zeros((2, 4), dtype=np.float32), np.zeros((2, 0), np.float32)],
)
def test_other_types_and_shapes(features: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match=r"features: got .*, expected float32 \(num_items, 3\)"):
        check_feature_rows(features, 3)


def test_rows_that_are_not_finite_are_all_named() -> None:
    features = np.zeros((4, 2), dtype=np.float32)
    features[1, 0], features[3, 1] = np.nan, -np.inf
    with pytest.raises(NonFiniteFeatures) as raised:
        check_feature_rows(features)
    assert raised.value.rows == (1, 3)
