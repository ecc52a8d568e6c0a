"""ITQ: principal components, then the learned rotation."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.iterative_quantization import IterativeQuantization
from operators.hashers.principal_components import principal_components
from operators.hashers.quantization_rotation import learn_rotation


@pytest.fixture
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((300, 10)) @ rng.standard_normal((10, 20)) + 5).astype(np.float32)


def test_bits_are_the_signs_of_the_rotated_components(features: np.ndarray) -> None:
    hasher = IterativeQuantization(num_bits=6, seed=3)
    hasher.fit(features)
    mean, _, directions = principal_components(features)
    projected = (features - mean) @ directions[:, :6]
    values = projected @ learn_rotation(projected, num_iterations=50, seed=3).matrix
    certain = np.abs(values) > 1e-3
    assert certain.mean() > 0.99
    np.testing.assert_array_equal(hasher.encode(features).to_bits()[certain], (values >= 0)[certain])


def test_columns_of_the_projection_are_orthonormal(features: np.ndarray) -> None:
    hasher = IterativeQuantization(num_bits=10, seed=3)
    hasher.fit(features)
    projection = hasher.tensors()["projection"].astype(np.float64)
    np.testing.assert_allclose(projection.T @ projection, np.eye(10), atol=1e-6)


@pytest.mark.parametrize(
    ("num_bits", "num_items", "expected"),
    [
        (21, 300, "at most 20, the feature dimensions"),
        (6, 6, "fewer than the 6 items to learn from"),
        (6, 0, "fewer than the 0 items to learn from"),
        (11, 300, "at most 10, the directions in which features vary"),
    ],
)
def test_too_many_bits_are_refused_with_the_figures(
    features: np.ndarray, num_bits: int, num_items: int, expected: str
) -> None:
    with pytest.raises(InvalidSetting, match=f"itq.num_bits = {num_bits}: expected {expected}"):
        IterativeQuantization(num_bits=num_bits, seed=0).fit(features[:num_items])


def test_equal_items_have_nothing_to_learn() -> None:
    with pytest.raises(InvalidSetting, match="at most 0, the directions"):
        IterativeQuantization(num_bits=1, seed=0).fit(np.ones((9, 4), np.float32))


def test_learning_is_logged(features: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        IterativeQuantization(num_bits=4, seed=0).fit(features)
    assert "itq: 4 bits, 300 items, quantization error" in caplog.text


@pytest.mark.parametrize("name", ["num_bits", "num_iterations"])
def test_impossible_settings(name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"itq.{name} = 0"):
        IterativeQuantization(**{"num_bits": 4, "seed": 0, name: 0})
