"""`GistFeatures`: the spatial envelope (Oliva and Torralba, IJCV 2001; their `LMgist` parameters)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.luma import luma
from operators.features.setting_checks import require_int, require_names

_PREFILTER_CYCLES = 4.0
_PREFILTER_MARGIN = 5
_PREFILTER_FLOOR = 0.2
_LOG_BRIGHTNESS = np.log1p(np.arange(256, dtype=np.float64)).astype(np.float32)


class GistFeatures(FeatureExtractor):
    """Energy of Gabor filters over a grid: `num_scales * num_orientations * grid_side**2` dimensions (512).

    Per picture: log brightness with local contrast evened out (`prefilter`), then for each filter the magnitude of
    the filtered picture, averaged over each field of the grid. Order: filter, grid row, grid column; filters by scale
    (finest first), then orientation. Unlike LMgist the picture's range is not stretched to 0 .. 255 beforehand.
    `grid_side` must divide `side`, which must be even. Raises `InvalidSetting`.
    """

    name: ClassVar[str] = "gist"

    def __init__(self, *, side: int = 64, num_scales: int = 4, num_orientations: int = 8, grid_side: int = 4) -> None:
        self._side = require_int("gist.side", side, minimum=8, maximum=512)
        self._num_scales = require_int("gist.num_scales", num_scales, minimum=1, maximum=8)
        self._num_orientations = require_int("gist.num_orientations", num_orientations, minimum=1, maximum=32)
        self._grid_side = require_int("gist.grid_side", grid_side, minimum=1, maximum=side)
        if side % 2:
            raise InvalidSetting("gist.side", str(side), "an even number")
        if side % grid_side:
            raise InvalidSetting("gist.grid_side", str(grid_side), f"a divisor of the side {side}")

    @property
    def side(self) -> int:
        return self._side

    @property
    def num_dims(self) -> int:
        return self._num_scales * self._num_orientations * self._grid_side**2

    def settings(self) -> dict[str, Json]:
        return {
            "side": self._side,
            "num_scales": self._num_scales,
            "num_orientations": self._num_orientations,
            "grid_side": self._grid_side,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Json]) -> Self:
        names = ("side", "num_scales", "num_orientations", "grid_side")
        require_names(cls.name, settings, set(names))
        values = {name: require_int(f"gist.{name}", settings[name], minimum=1, maximum=512) for name in names}
        return cls(**values)

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.check_pixels(pixels)
        features = np.empty((len(pixels), self.num_dims), dtype=np.float32)
        # One picture at a time: the bank of filters is batch enough, and other pictures cannot change a bit.
        for row, grey in zip(features, luma(pixels), strict=True):
            row[:] = self._grid_energy(prefilter(grey))
        return features

    def _grid_energy(self, evened: NDArray[np.float32]) -> NDArray[np.float32]:
        margin = self._side // 2
        spectrum = np.fft.fft2(np.pad(evened, margin, mode="symmetric"))
        filtered = np.fft.ifft2(spectrum * self._filters)[:, margin:-margin, margin:-margin]
        energy = np.sqrt(np.square(filtered.real) + np.square(filtered.imag))
        field = self._side // self._grid_side
        fields = energy.reshape(-1, self._grid_side, field, self._grid_side, field).transpose(0, 1, 3, 2, 4)
        rows: NDArray[np.float32] = np.ascontiguousarray(fields).reshape(self.num_dims, field**2)
        means: NDArray[np.float32] = rows.mean(axis=1)
        return means

    @cached_property
    def _filters(self) -> NDArray[np.float32]:
        return gabor_bank(2 * self._side, self._num_scales, self._num_orientations)


def prefilter(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Even out local contrast: uint8 `(side, side)` -> float32 of the same shape (`prefilt` of LMgist).

    Log brightness minus its low-pass, over 0.2 plus the low-passed deviation.
    """
    padded = np.pad(_LOG_BRIGHTNESS[grey], _PREFILTER_MARGIN, mode="symmetric")
    rows, columns = _frequencies(len(padded))
    low_pass = np.exp(-(rows**2 + columns**2) * np.log(2) / _PREFILTER_CYCLES**2).astype(np.float32)
    high = padded - np.fft.ifft2(np.fft.fft2(padded) * low_pass).real
    variance = np.fft.ifft2(np.fft.fft2(np.square(high)) * low_pass).real
    evened = high / (_PREFILTER_FLOOR + np.sqrt(np.abs(variance)))
    return evened[_PREFILTER_MARGIN:-_PREFILTER_MARGIN, _PREFILTER_MARGIN:-_PREFILTER_MARGIN].astype(np.float32)


def gabor_bank(size: int, num_scales: int, num_orientations: int) -> NDArray[np.float32]:
    """Transfer functions `(num_scales * num_orientations, size, size)`, frequency zero first (`createGabor`)."""
    rows, columns = _frequencies(size)
    radius, angle = np.hypot(rows, columns) / size, np.arctan2(rows, columns)
    angular_width = 2 * np.pi * 16 * num_orientations**2 / 32**2
    bank = []
    for scale in range(num_scales):
        radial = 3.5 * (radius / (0.3 / 1.85**scale) - 1) ** 2
        for orientation in range(num_orientations):
            turned = angle + np.pi / num_orientations * orientation
            turned = np.where(turned > np.pi, turned - 2 * np.pi, turned)
            bank.append(np.exp(-radial - angular_width * turned**2))
    return np.stack(bank).astype(np.float32)


def _frequencies(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column frequency in cycles per picture, frequency zero first, for an even `size`."""
    cycles = np.fft.fftfreq(size, d=1 / size).astype(np.float64)
    return cycles[:, None], cycles[None, :]
