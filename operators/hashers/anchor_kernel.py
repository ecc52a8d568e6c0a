"""`AnchorKernel`: items as Gaussian similarities to anchors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.quantization.exact_distances import ExactDistances

_ITEMS_PER_BLOCK = 2048


class AnchorKernel:
    """exp(-d^2 / sigma^2) to each of `anchors`, float32 `(num_anchors, num_dims)`; `bandwidth` float32 `(1,)` is
    sigma. An item's similarities depend on nothing but the item."""

    def __init__(self, anchors: NDArray[np.float32], bandwidth: NDArray[np.float32]) -> None:
        self.anchors = anchors
        self.bandwidth = bandwidth
        self._distances = ExactDistances(anchors)

    @classmethod
    def fit(cls, anchors: NDArray[np.float32], sample: NDArray[np.float32], bandwidth: float) -> AnchorKernel:
        """sigma: `bandwidth` times the mean distance between the items of `sample` and anchors.

        Raises `InvalidSetting` where every item is every anchor.
        """
        mean_distance = float(np.sqrt(ExactDistances(anchors).squared(sample)).mean())
        if mean_distance == 0:
            raise InvalidSetting("anchors", "items that are all the same", "features that vary")
        return cls(anchors, np.array([bandwidth * mean_distance], np.float32))

    def similarities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 `(num_items, num_dims)` -> float32 `(num_items, num_anchors)`, from 0 to 1. Raises `ShapeMismatch`,
        `NonFiniteFeatures`."""
        found = np.empty((len(features), len(self.anchors)), np.float32)
        scale = float(self.bandwidth[0]) ** 2
        for start in range(0, max(len(features), 1), _ITEMS_PER_BLOCK):
            block = slice(start, start + _ITEMS_PER_BLOCK)
            found[block] = np.exp(-self._distances.squared(features[block]) / scale)
        return found
