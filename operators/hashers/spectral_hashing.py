"""`SpectralHashing`: SH (Weiss, Torralba and Fergus, "Spectral hashing", NIPS 2008)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted, ShapeMismatch
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import MethodSettings
from operators.hashers.principal_components import num_varying_directions, principal_components
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows


@dataclass(frozen=True, eq=False)
class _Learned:
    """Bit j: the sign of cos(pi * modes[j] * (p[axes[j]] - lowest[axes[j]]) / ranges[axes[j]]), p the components."""

    projection: ExactProjection
    lowest: NDArray[np.float32]
    ranges: NDArray[np.float32]
    axes: NDArray[np.int32]
    modes: NDArray[np.int32]


class SpectralHashing(SettingsHasher[MethodSettings]):
    """Bits are signs of the smoothest eigenfunctions of a uniform box around the data, seen along principal axes.

    Along an axis of length L the k-th eigenfunction is sin(pi/2 + k pi x / L), with eigenvalue growing as (k / L)^2:
    the `num_bits` smallest over all axes and k >= 1 are taken (eq. 8 and the algorithm of section 4). Nothing is drawn
    at random. Cost: one covariance, O(n d^2 + d^3).
    """

    method: ClassVar[str] = "sh"
    settings_type = MethodSettings
    _learned: _Learned | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        if len(features) < 2:
            raise InvalidSetting("sh.fit", f"{len(features)} items", "at least 2")
        mean, variances, directions = principal_components(features)
        num_axes = min(self.num_bits, num_varying_directions(variances))
        if num_axes == 0:
            raise InvalidSetting("sh.fit", "items that are all the same", "features that vary")
        matrix = np.ascontiguousarray(directions[:, :num_axes], dtype=np.float32)
        projection = ExactProjection(mean.astype(np.float32), matrix)
        components = projection.project(features)
        lowest = components.min(axis=0).astype(np.float32)
        ranges = (components.max(axis=0) - lowest).astype(np.float32)
        axes, modes = smoothest_modes(ranges.astype(np.float64), self.num_bits)
        self._learned = _Learned(projection, lowest, ranges, axes, modes)

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        learned = self._fitted()
        components = learned.projection.project(features)
        share = (components - learned.lowest) / learned.ranges
        # cos(pi t) >= 0 exactly where the whole number nearest to t is even: no trigonometry, no rounding of it.
        return BinaryCodes.from_bits(np.floor(share[:, learned.axes] * learned.modes + 0.5) % 2 == 0)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean`, `projection` float32 `(num_dims, num_axes)`, `lowest` and `ranges` float32 `(num_axes,)`, `axes` and
        `modes` int32 `(num_bits,)`."""
        learned = self._fitted()
        own = {"lowest": learned.lowest, "ranges": learned.ranges, "axes": learned.axes, "modes": learned.modes}
        return {**learned.projection.tensors(), **own}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        whole = {name: tensors[name] for name in ("axes", "modes") if name in tensors}
        if len(whole) < 2 or any(w.dtype != np.int32 or w.shape != (self.num_bits,) for w in whole.values()):
            raise ShapeMismatch("sh tensors", ", ".join(sorted(tensors)), f"axes and modes int32 ({self.num_bits},)")
        axes, modes = (np.asarray(whole[name], np.int32) for name in ("axes", "modes"))
        num_axes = int(axes.max()) + 1
        rest = {name: tensor for name, tensor in tensors.items() if name not in whole}
        if "projection" in rest and rest["projection"].ndim == 2:
            num_axes = rest["projection"].shape[1]
        shapes = {"mean": (None,), "projection": (None, num_axes), "lowest": (num_axes,), "ranges": (num_axes,)}
        known = require_tensors(self.method, rest, shapes)
        if axes.min() < 0 or axes.max() >= num_axes or modes.min() < 1:
            raise ShapeMismatch("sh axes and modes", "numbers out of range", f"axes below {num_axes}, modes from 1")
        projection = ExactProjection(known["mean"], known["projection"])
        self._learned = _Learned(projection, known["lowest"], known["ranges"], axes, modes)

    def _fitted(self) -> _Learned:
        if self._learned is None:
            raise NotFitted(self.method)
        return self._learned


def smoothest_modes(ranges: NDArray[np.float64], num_modes: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(axis, k) of the `num_modes` smallest k / ranges[axis], k >= 1, in that order; ties to the earlier axis."""
    numbers = np.arange(1, num_modes + 1)
    frequency = numbers[None, :] / ranges[:, None]
    order = np.argsort(frequency, axis=None, kind="stable")[:num_modes]
    axes, places = np.unravel_index(order, frequency.shape)
    return axes.astype(np.int32), numbers[places].astype(np.int32)
