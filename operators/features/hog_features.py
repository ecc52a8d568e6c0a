"""`HogFeatures`: histograms of oriented gradients (Dalal and Triggs, CVPR 2005)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.luma import luma
from operators.features.setting_checks import require_int, require_names

_MAX_GRADIENT = 255
_NUM_GRADIENTS = 2 * _MAX_GRADIENT + 1
# Pictures are taken in groups of about this many pixels, so that the intermediate arrays stay in the cache.
_PIXELS_PER_GROUP = 32_768
_EPSILON = 1e-5
_CLIP = 0.2


class HogFeatures(FeatureExtractor):
    """Gradient directions of the grey picture, counted per cell and normalised per block (L2-Hys).

    Unsigned orientations, central differences, hard binning, blocks sliding by one cell: the numbers of
    `skimage.feature.hog(luma, orientations, (cell, cell), (block, block))`, to rounding. A picture of 28 px with
    7 px cells has 4 x 4 cells and 3 x 3 blocks of 2 x 2 cells: 324 dimensions.

    `cell_side` in pixels must divide `side` (default: 7 for 28 px, else 8); `block_side` in cells.
    Raises `InvalidSetting`.
    """

    name: ClassVar[str] = "hog"

    def __init__(
        self, *, side: int = 64, cell_side: int | None = None, num_orientations: int = 9, block_side: int = 2
    ) -> None:
        self._side = require_int("hog.side", side, minimum=4, maximum=1024)
        default_cell = 7 if side == 28 else 8
        cell = default_cell if cell_side is None else cell_side
        self._cell_side = require_int("hog.cell_side", cell, minimum=2, maximum=side)
        self._num_orientations = require_int("hog.num_orientations", num_orientations, minimum=1, maximum=180)
        if side % self._cell_side:
            raise InvalidSetting("hog.cell_side", str(self._cell_side), f"a divisor of the side {side}")
        self._num_cells = side // self._cell_side
        self._block_side = require_int("hog.block_side", block_side, minimum=1, maximum=self._num_cells)

    @property
    def side(self) -> int:
        return self._side

    @property
    def num_blocks(self) -> int:
        """Blocks of a picture; features of each have length 1 at most."""
        return (self._num_cells - self._block_side + 1) ** 2

    @property
    def num_dims(self) -> int:
        return self.num_blocks * self._block_side**2 * self._num_orientations

    def settings(self) -> dict[str, Json]:
        return {
            "side": self._side,
            "cell_side": self._cell_side,
            "num_orientations": self._num_orientations,
            "block_side": self._block_side,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Json]) -> Self:
        names = ("side", "cell_side", "num_orientations", "block_side")
        require_names(cls.name, settings, set(names))
        values = {name: require_int(f"hog.{name}", settings[name], minimum=1, maximum=1024) for name in names}
        return cls(**values)

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.check_pixels(pixels)
        features = np.empty((len(pixels), self.num_dims), dtype=np.float32)
        step = max(1, _PIXELS_PER_GROUP // self._side**2)
        for start in range(0, len(pixels), step):
            group = slice(start, start + step)
            features[group] = self._normalized_blocks(self._cell_histograms(luma(pixels[group])))
        return features

    def _cell_histograms(self, grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Grey `(batch, side, side)` -> mean gradient magnitude `(batch, cells, cells, orientations)`."""
        # Gradients are whole numbers, so that (row, column) gradient is one index into tables made once.
        brightness = grey.astype(np.intp)
        gradient = np.full(grey.shape, _MAX_GRADIENT * _NUM_GRADIENTS + _MAX_GRADIENT, dtype=np.intp)
        gradient[:, 1:-1] += (brightness[:, 2:] - brightness[:, :-2]) * _NUM_GRADIENTS
        gradient[:, :, 1:-1] += brightness[:, :, 2:] - brightness[:, :, :-2]
        orientations, magnitudes = _gradient_tables(self._num_orientations)
        bins = orientations[gradient]
        bins += self._first_bins()
        num_bins = self._num_cells**2 * self._num_orientations
        bins += (np.arange(len(grey)) * num_bins)[:, None, None]
        # bincount adds in the order of the pixels, so that a picture's sums do not depend on its neighbours.
        sums = np.bincount(bins.ravel(), weights=magnitudes[gradient].ravel(), minlength=len(grey) * num_bins)
        return (sums / self._cell_side**2).reshape(-1, self._num_cells, self._num_cells, self._num_orientations)

    def _first_bins(self) -> NDArray[np.intp]:
        """For each pixel `(side, side)`, the first histogram bin of its cell."""
        cell = np.arange(self._side) // self._cell_side
        return (cell[:, None] * self._num_cells + cell[None, :]) * self._num_orientations

    def _normalized_blocks(self, histograms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cells -> `(batch, num_dims)`: each block scaled to length 1, clipped at 0.2, scaled again."""
        size = self._block_side
        windows = np.lib.stride_tricks.sliding_window_view(histograms, (size, size), axis=(1, 2))
        blocks = np.ascontiguousarray(windows.transpose(0, 1, 2, 4, 5, 3)).reshape(-1, size**2 * self._num_orientations)
        scaled = _unit_rows(np.minimum(_unit_rows(blocks), _CLIP))
        return scaled.reshape(len(histograms), self.num_dims)


def _unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide each contiguous row by its length. The sum runs along the row, so that other rows change no bit."""
    lengths: NDArray[np.float64] = np.sqrt(np.square(rows).sum(axis=1, keepdims=True) + _EPSILON**2)
    return rows / lengths


@cache
def _gradient_tables(num_orientations: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Orientation bin and magnitude for every pair (row, column gradient) in -255 .. 255, flattened."""
    values = np.arange(-_MAX_GRADIENT, _MAX_GRADIENT + 1, dtype=np.float64)
    row, column = values[:, None], values[None, :]
    degrees = np.rad2deg(np.arctan2(row, column)) % 180
    edges = 180 / num_orientations * np.arange(num_orientations)
    orientations = np.searchsorted(edges, degrees.ravel(), side="right") - 1
    return orientations.astype(np.intp), np.hypot(row, column).ravel()
