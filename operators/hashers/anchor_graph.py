"""`AnchorGraph`: every item as weights of its few nearest anchors (Liu et al., "Hashing with graphs", ICML 2011)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.quantization.exact_distances import ExactDistances
from operators.quantization.k_means import k_means


@dataclass(frozen=True, eq=False)
class AnchorGraph:
    """`anchors` float32 `(num_anchors, num_dims)`; `bandwidth` float32 `(1,)`, the sigma of the kernel
    exp(-d^2 / sigma^2); an item is described by its `num_nearest` nearest anchors."""

    anchors: NDArray[np.float32]
    bandwidth: NDArray[np.float32]
    num_nearest: int

    @classmethod
    def fit(
        cls, features: NDArray[np.float32], *, num_anchors: int, num_nearest: int, seed: int, num_training: int
    ) -> AnchorGraph:
        """Anchors by k-means over at most `num_training` items; sigma: their mean distance to the last of the nearest.

        Raises `InvalidSetting` for fewer items than anchors, or fewer anchors than nearest ones.
        """
        if num_nearest >= num_anchors:
            raise InvalidSetting("num_nearest", str(num_nearest), f"fewer than the {num_anchors} anchors")
        sample = features[np.random.default_rng(seed).permutation(len(features))[:num_training]]
        anchors = k_means(sample, num_centres=num_anchors, num_iterations=20, seed=seed).centres
        graph = cls(anchors, np.ones(1, np.float32), num_nearest)
        _, squared = graph.nearest(sample)
        bandwidth = float(np.sqrt(squared[:, -1]).mean())
        if bandwidth == 0:
            raise InvalidSetting("anchors", "items that are all the same", "features that vary")
        return cls(anchors, np.array([bandwidth], np.float32), num_nearest)

    @property
    def num_anchors(self) -> int:
        return len(self.anchors)

    def nearest(self, features: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Nearest anchors of every item, nearest first, and squared distances, `(num_items, num_nearest)`; an item's
        answer depends on nothing but the item."""
        squared = ExactDistances(self.anchors).squared(features)
        order = np.argsort(squared, axis=1, kind="stable")[:, : self.num_nearest]
        return order, np.take_along_axis(squared, order, axis=1)

    def weights(self, features: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Anchors and weights of every item, `(num_items, num_nearest)`; weights of an item add up to 1 (eq. 2)."""
        anchors, squared = self.nearest(features)
        # The nearest has exponent 0: far items do not lose all weight to underflow.
        kernel = np.exp(-(squared - squared[:, :1]) / float(self.bandwidth[0]) ** 2)
        return anchors, kernel / kernel.sum(axis=1, keepdims=True)


def dense_weights(anchors: NDArray[np.int64], weights: NDArray[np.float64], num_anchors: int) -> NDArray[np.float64]:
    """Z as a dense float64 `(num_items, num_anchors)`."""
    dense = np.zeros((len(anchors), num_anchors))
    np.put_along_axis(dense, anchors, weights, axis=1)
    return dense


def graph_spectrum(dense: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of A = Z Lambda^-1 Z^T, without ever forming it: eigenvalues below 1 by falling size, the matrix W
    `(num_anchors, num_values)` that makes Z W its eigenvectors (columns of length sqrt(n)), and Lambda's diagonal
    (eq. 5 to 7). The trivial eigenvalue 1 is left out, and what is no larger than rounding."""
    totals = np.maximum(dense.sum(axis=0), 1e-12)
    scaled = dense / np.sqrt(totals)
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    kept = np.flatnonzero((values < 1 - 1e-3) & (values > 1e-9))[::-1]
    largest = np.abs(vectors[:, kept]).argmax(axis=0)
    signs = np.where(vectors[largest, kept] < 0, -1.0, 1.0)
    matrix = np.sqrt(len(dense)) * (vectors[:, kept] * signs) / np.sqrt(values[kept]) / np.sqrt(totals)[:, None]
    return values[kept], matrix, totals
