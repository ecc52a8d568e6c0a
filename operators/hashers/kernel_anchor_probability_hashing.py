"""`KernelAnchorProbabilityHashing`: APHash's codes with a hash function that is not linear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import NotFitted
from operators.hashers.anchor_kernel import AnchorKernel
from operators.hashers.anchor_probability_hashing import (
    AnchorProbabilityMethod,
    AnchorProbabilitySettings,
    LearnFunction,
)
from operators.hashers.anchor_probability_run import Signs
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import number
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows

_ITEMS_PER_BLOCK = 8192
_BANDWIDTH_ITEMS = 1000


@dataclass(frozen=True, kw_only=True)
class KernelAnchorProbabilitySettings(AnchorProbabilitySettings):
    """As `AnchorProbabilitySettings`; alpha is `ridge` times the mean squared centred similarity, summed over items.
    `bandwidth` is the kernel's sigma as a multiple of the mean distance between items and anchors."""

    ridge: float = number(1e-4, minimum=1e-9, maximum=1e9)
    bandwidth: float = number(1.0, minimum=1e-3, maximum=1e3)


class KernelAnchorProbabilityHashing(AnchorProbabilityMethod[KernelAnchorProbabilitySettings]):
    """A new item gets sign(W^T phi(x)): phi are its centred Gaussian similarities to the anchors, W is fitted by ridge
    regression to the learned codes of all items, not only of the anchors."""

    method: ClassVar[str] = "aphash-kernel"
    settings_type = KernelAnchorProbabilitySettings
    _kernel: AnchorKernel | None = None
    _projection: ExactProjection | None = None

    def function_learner(self, features: NDArray[np.float32], anchor_items: NDArray[np.int64]) -> LearnFunction:
        sample = features[np.random.default_rng(self._settings.seed).permutation(len(features))[:_BANDWIDTH_ITEMS]]
        kernel = AnchorKernel.fit(features[anchor_items], sample, self._settings.bandwidth)
        rows = kernel.similarities(features)
        mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        rows -= mean
        solver = ridge_solver(rows, self._settings.ridge)

        def learn(anchor_signs: Signs, item_signs: Signs) -> None:
            matrix = solver @ (rows.T @ item_signs.astype(np.float32))
            self._kernel = kernel
            self._projection = ExactProjection(mean, np.ascontiguousarray(matrix, dtype=np.float32))

        return learn

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        if self._kernel is None or self._projection is None:
            raise NotFitted(self.method)
        check_feature_rows(features, self._kernel.anchors.shape[1])
        blocks = [
            self._projection.project(self._kernel.similarities(features[start : start + _ITEMS_PER_BLOCK])) >= 0
            for start in range(0, max(len(features), 1), _ITEMS_PER_BLOCK)
        ]
        return BinaryCodes.from_bits(np.concatenate(blocks))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`anchors` float32 `(num_anchors, num_dims)`, `bandwidth` `(1,)`, `mean` float32 `(num_anchors,)`,
        `projection` float32 `(num_anchors, num_bits)`."""
        if self._kernel is None or self._projection is None:
            raise NotFitted(self.method)
        kernel = {"anchors": self._kernel.anchors, "bandwidth": self._kernel.bandwidth}
        return {**kernel, **self._projection.tensors()}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        num_anchors = self._settings.num_anchors
        shapes = {
            "anchors": (num_anchors, None),
            "bandwidth": (1,),
            "mean": (num_anchors,),
            "projection": (num_anchors, self.num_bits),
        }
        known = require_tensors(self.method, tensors, shapes)
        self._kernel = AnchorKernel(known["anchors"], known["bandwidth"])
        self._projection = ExactProjection(known["mean"], known["projection"])


def ridge_solver(rows: NDArray[np.float32], ridge: float) -> NDArray[np.float64]:
    """(rows^T rows + alpha I)^-1, float64 `(num_dims, num_dims)`; alpha is `ridge` times the mean diagonal entry."""
    scatter = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), _ITEMS_PER_BLOCK):
        block = rows[start : start + _ITEMS_PER_BLOCK].astype(np.float64)
        scatter += block.T @ block
    scatter[np.diag_indices_from(scatter)] += ridge * np.trace(scatter) / len(scatter)
    return np.asarray(np.linalg.inv(scatter), np.float64)
