"""`AnchorGraphHashing`: AGH (Liu, Wang, Kumar and Chang, "Hashing with graphs", ICML 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.hashers.anchor_graph import AnchorGraph, dense_weights, graph_spectrum
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import MethodSettings, whole
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.feature_rows import check_feature_rows


@dataclass(frozen=True, kw_only=True)
class AnchorGraphSettings(MethodSettings):
    """300 anchors and 2 nearest ones are the authors' defaults. With 2 layers every eigenvector gives two bits."""

    num_layers: int = whole(1, minimum=1, maximum=2)
    num_anchors: int = whole(300, minimum=3, maximum=100_000)
    num_nearest: int = whole(2, minimum=1, maximum=1_000)
    num_training: int = whole(20_000, minimum=3, maximum=10_000_000)


@dataclass(frozen=True, eq=False)
class _Learned:
    graph: AnchorGraph
    matrix: NDArray[np.float32]
    thresholds: NDArray[np.float32]


class AnchorGraphHashing(SettingsHasher[AnchorGraphSettings]):
    """Bits are signs of the smoothest eigenvectors of the anchor graph, extended to new items by Z(x) W.

    Two layers: of half as many eigenvectors, and for each a second bit by two thresholds that split its positive and
    its negative side (eq. 12 to 15). Cost: k-means, then one eigenproblem of num_anchors x num_anchors. Raises
    `InvalidSetting` when the graph has fewer eigenvectors than are needed (one fewer than anchors, at most).
    """

    method: ClassVar[str] = "agh"
    settings_type = AnchorGraphSettings
    _learned: _Learned | None = None

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        if self._settings.num_layers == 2 and self.num_bits % 2:
            raise InvalidSetting("agh.num_bits", str(self.num_bits), "an even number for 2 layers")

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        settings = self._settings
        graph = AnchorGraph.fit(
            features,
            num_anchors=settings.num_anchors,
            num_nearest=settings.num_nearest,
            seed=settings.seed,
            num_training=settings.num_training,
        )
        dense = dense_weights(*graph.weights(features), graph.num_anchors)
        values, matrix, totals = graph_spectrum(dense)
        num_vectors = self.num_bits // settings.num_layers
        if len(values) < num_vectors:
            raise InvalidSetting(
                "agh.num_bits", str(self.num_bits), f"at most {len(values) * settings.num_layers} bits"
            )
        matrix = np.ascontiguousarray(matrix[:, :num_vectors])
        thresholds = np.zeros((0, num_vectors), np.float32)
        if settings.num_layers == 2:
            thresholds = second_thresholds(dense, dense @ matrix, totals).astype(np.float32)
        self._learned = _Learned(graph, matrix.astype(np.float32), thresholds)

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        learned = self._fitted()
        check_feature_rows(features, learned.graph.anchors.shape[1])
        anchors, weights = learned.graph.weights(features)
        embedded = np.zeros((len(features), learned.matrix.shape[1]))
        for place in range(learned.graph.num_nearest):
            embedded += weights[:, place, None] * learned.matrix[anchors[:, place]]
        if self._settings.num_layers == 1:
            return BinaryCodes.from_signs(embedded)
        above, below = learned.thresholds
        second = np.where(embedded > 0, embedded > above, embedded < below)
        return BinaryCodes.from_bits(np.concatenate([embedded >= 0, second], axis=1))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`anchors` float32 `(num_anchors, num_dims)`, `bandwidth` `(1,)`, `matrix` `(num_anchors, num_vectors)`,
        `thresholds` float32 `(2 or 0, num_vectors)`: above and below zero."""
        learned = self._fitted()
        graph = {"anchors": learned.graph.anchors, "bandwidth": learned.graph.bandwidth}
        return {**graph, "matrix": learned.matrix, "thresholds": learned.thresholds}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        settings = self._settings
        num_vectors = self.num_bits // settings.num_layers
        shapes: dict[str, tuple[int | None, ...]] = {
            "anchors": (settings.num_anchors, None),
            "bandwidth": (1,),
            "matrix": (settings.num_anchors, num_vectors),
            "thresholds": (2 if settings.num_layers == 2 else 0, num_vectors),
        }
        known = require_tensors(self.method, tensors, shapes)
        graph = AnchorGraph(known["anchors"], known["bandwidth"], settings.num_nearest)
        self._learned = _Learned(graph, known["matrix"], known["thresholds"])

    def _fitted(self) -> _Learned:
        if self._learned is None:
            raise NotFitted(self.method)
        return self._learned


def second_thresholds(
    dense: NDArray[np.float64], embedded: NDArray[np.float64], totals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Thresholds above and below zero, float64 `(2, num_vectors)`.

    Of each eigenvector y they make w = |y| - a on its positive and |y| - b on its negative side smooth on the graph:
    w^T (I - A) w least with sum w = 0, in closed form (eq. 13 to 15; the threshold below zero is -b). A side without
    items keeps 0.
    """
    thresholds = np.zeros((2, embedded.shape[1]))
    for column, vector in enumerate(embedded.T):
        positive = vector > 0
        num_positive, num_negative = int(positive.sum()), int((~positive).sum())
        if not num_positive or not num_negative:
            continue
        total = float(np.abs(vector).sum())
        # a is free, b follows from the sum: w = start - a * step.
        start = np.abs(vector) - np.where(positive, 0.0, total / num_negative)
        step = np.where(positive, 1.0, -num_positive / num_negative)
        above = _smoothness(dense, totals, step, start) / _smoothness(dense, totals, step, step)
        thresholds[:, column] = above, -(total - num_positive * above) / num_negative
    return thresholds


def _smoothness(
    dense: NDArray[np.float64], totals: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> float:
    """left^T (I - Z Lambda^-1 Z^T) right."""
    return float(left @ right - (dense.T @ left / totals) @ (dense.T @ right))
