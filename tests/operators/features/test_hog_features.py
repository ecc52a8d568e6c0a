"""HOG against scikit-image, the slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import hog

from operators.errors import InvalidSetting
from operators.features.hog_features import HogFeatures
from operators.features.luma import luma


def _reference(pixels: np.ndarray, cell: int, orientations: int, block: int) -> np.ndarray:
    return np.stack(
        [hog(grey, orientations, (cell, cell), (block, block), block_norm="L2-Hys") for grey in luma(pixels)]
    )


def _pictures(seed: int, num_items: int, side: int) -> np.ndarray:
    """Noise of several contrasts, with flat parts, so that empty cells and equal gradients occur."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 200, (num_items, 1, 1, 1))
    pixels = low + rng.integers(0, 56, (num_items, side, side, 3)) * rng.integers(0, 2, (num_items, side, side, 1))
    pixels[:, : side // 2, : side // 2] = low
    return pixels.astype(np.uint8)


@pytest.mark.parametrize(
    ("side", "cell", "orientations", "block"), [(28, 7, 9, 2), (64, 8, 9, 2), (32, 4, 8, 3), (16, 16, 12, 1)]
)
def test_equals_scikit_image(side: int, cell: int, orientations: int, block: int) -> None:
    features = HogFeatures(side=side, cell_side=cell, num_orientations=orientations, block_side=block)
    pixels = _pictures(1, 6, side)
    expected = _reference(pixels, cell, orientations, block)
    assert features.num_dims == expected.shape[1]
    np.testing.assert_allclose(features.extract(pixels), expected, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), num_items=st.integers(1, 5), num_cells=st.integers(2, 4), cell=st.integers(2, 6))
def test_equals_scikit_image_for_any_size(seed: int, num_items: int, num_cells: int, cell: int) -> None:
    pixels = _pictures(seed, num_items, num_cells * cell)
    features = HogFeatures(side=num_cells * cell, cell_side=cell)
    np.testing.assert_allclose(features.extract(pixels), _reference(pixels, cell, 9, 2), atol=1e-6)


def test_defaults_are_those_of_fashion_mnist_and_of_thumbnails() -> None:
    assert HogFeatures(side=28).num_dims == 324
    assert HogFeatures(side=28).settings()["cell_side"] == 7
    assert HogFeatures().num_dims == 1764
    assert HogFeatures().settings() == {"side": 64, "cell_side": 8, "num_orientations": 9, "block_side": 2}


def test_flat_picture_is_all_zero() -> None:
    assert not HogFeatures(side=28).extract(np.full((1, 28, 28, 3), 77, dtype=np.uint8)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 30, "cell_side": 8}, r"hog.cell_side = 8: expected a divisor of the side 30"),
        ({"side": 16, "cell_side": 8, "block_side": 3}, r"hog.block_side = 3: expected a whole number from 1 to 2"),
        ({"num_orientations": 0}, r"hog.num_orientations = 0"),
        ({"side": -1}, r"hog.side = -1"),
    ],
)
def test_impossible_settings(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        HogFeatures(**arguments)
