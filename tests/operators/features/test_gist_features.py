"""GIST against plain loops over the formulas of LMgist."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.gist_features import GistFeatures, gabor_bank, prefilter
from operators.features.luma import luma


def _mirrored(picture: np.ndarray, margin: int) -> np.ndarray:
    size = len(picture)
    place = [*range(margin - 1, -1, -1), *range(size), *range(size - 1, size - 1 - margin, -1)]
    return np.array([[picture[row][column] for column in place] for row in place])


def _filtered(picture: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Multiply the discrete Fourier transform by `transfer`; the transform is the sum of its definition."""
    size = len(picture)
    wave = np.array([[cmath.exp(-2j * math.pi * i * j / size) for j in range(size)] for i in range(size)])
    filtered: np.ndarray = wave.conj() @ (transfer * (wave @ picture @ wave)) @ wave.conj() / size**2
    return filtered


def _cycles(index: int, size: int) -> int:
    return index if index < size // 2 else index - size


def _loop_prefilter(grey: np.ndarray) -> np.ndarray:
    padded = _mirrored(np.array([[math.log(int(value) + 1) for value in row] for row in grey]), 5)
    size, sigma = len(padded), 4 / math.sqrt(math.log(2))
    low_pass = np.array(
        [
            [math.exp(-(_cycles(i, size) ** 2 + _cycles(j, size) ** 2) / sigma**2) for j in range(size)]
            for i in range(size)
        ]
    )
    high = padded - _filtered(padded, low_pass).real
    deviation = np.sqrt(np.abs(_filtered(high**2, low_pass)))
    evened: np.ndarray = high / (0.2 + deviation)
    return evened[5:-5, 5:-5]


def _loop_gabor(size: int, scale: int, orientation: int, num_orientations: int) -> np.ndarray:
    transfer = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            down, right = _cycles(row, size), _cycles(column, size)
            angle = math.atan2(down, right) + math.pi / num_orientations * orientation
            if angle > math.pi:
                angle -= 2 * math.pi
            radius = math.hypot(down, right) / size / (0.3 / 1.85**scale)
            width = 16 * num_orientations**2 / 32**2
            transfer[row, column] = math.exp(-10 * 0.35 * (radius - 1) ** 2 - 2 * width * math.pi * angle**2)
    return transfer


def _loop_gist(grey: np.ndarray, num_scales: int, num_orientations: int, grid: int) -> list[float]:
    side = len(grey)
    padded = _mirrored(_loop_prefilter(grey), side // 2)
    features = []
    for scale in range(num_scales):
        for orientation in range(num_orientations):
            transfer = _loop_gabor(2 * side, scale, orientation, num_orientations)
            energy = np.abs(_filtered(padded, transfer))[side // 2 : -(side // 2), side // 2 : -(side // 2)]
            field = side // grid
            for top in range(0, side, field):
                fields = [energy[top : top + field, left : left + field] for left in range(0, side, field)]
                features += [float(one.mean()) for one in fields]
    return features


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)


def test_equals_plain_loops(pixels: np.ndarray) -> None:
    expected = [_loop_gist(grey, 3, 5, 4) for grey in luma(pixels)]
    features = GistFeatures(side=16, num_scales=3, num_orientations=5).extract(pixels)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-6)


def test_prefilter_equals_plain_loops(pixels: np.ndarray) -> None:
    grey = luma(pixels)[0]
    np.testing.assert_allclose(prefilter(grey), _loop_prefilter(grey), atol=1e-4)


def test_every_filter_of_the_default_bank_equals_plain_loops() -> None:
    bank = gabor_bank(12, 4, 8)
    expected = [_loop_gabor(12, scale, orientation, 8) for scale in range(4) for orientation in range(8)]
    np.testing.assert_allclose(bank, expected, atol=1e-6)


def test_default_is_512_dimensions_and_flat_pictures_have_no_energy() -> None:
    features = GistFeatures()
    assert features.num_dims == 512
    flat = features.extract(np.full((1, 64, 64, 3), 128, dtype=np.uint8))
    np.testing.assert_allclose(flat, 0, atol=1e-4)


def test_direction_of_stripes_is_told_apart() -> None:
    stripes = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    stripes[0, :, ::4] = 255
    stripes[1, ::4, :] = 255
    by_orientation = GistFeatures().extract(stripes).reshape(2, 4, 8, 16).sum(axis=(1, 3))
    assert by_orientation[0].argmax() == 0
    assert by_orientation[1].argmax() == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": 9}, r"gist.side = 9: expected an even number"),
        ({"side": 18}, r"gist.grid_side = 4: expected a divisor of the side 18"),
        ({"num_scales": 0}, r"gist.num_scales = 0"),
    ],
)
def test_impossible_settings(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        GistFeatures(**arguments)
