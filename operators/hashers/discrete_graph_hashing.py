"""`DiscreteGraphHashing`: DGH (Liu, Mu, Kumar and Chang, "Discrete graph hashing", NIPS 2014)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.hashers.anchor_graph import AnchorGraph, dense_weights, graph_spectrum
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import MethodSettings, choice, number, whole
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.feature_rows import check_feature_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DiscreteGraphSettings(MethodSettings):
    """`start`: "rotation" (DGH-R, the better objective) or "spectral" (DGH-I). `balance` (rho) draws codes to balanced,
    uncorrelated bits. `num_training` items take part: their codes are the variables."""

    start: str = choice("rotation", "rotation", "spectral")
    num_anchors: int = whole(300, minimum=3, maximum=100_000)
    num_nearest: int = whole(3, minimum=1, maximum=1_000)
    balance: float = number(0.1, minimum=0, maximum=1e6)
    num_rounds: int = whole(20, minimum=1, maximum=10_000)
    num_steps: int = whole(300, minimum=1, maximum=100_000)
    num_training: int = whole(20_000, minimum=3, maximum=10_000_000)


class DiscreteGraphHashing(SettingsHasher[DiscreteGraphSettings]):
    """Codes B that maximise tr(B^T A B) + rho tr(B^T Y) over signs B and balanced, uncorrelated Y, in turn; a new item
    gets sign(B^T Z Lambda^-1 z(x)).

    A = Z Lambda^-1 Z^T is the anchor graph, never formed. Raises `InvalidSetting` when the graph has fewer eigenvectors
    than bits.
    """

    method: ClassVar[str] = "dgh"
    settings_type = DiscreteGraphSettings
    _graph: AnchorGraph | None = None
    _matrix: NDArray[np.float32] | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        settings = self._settings
        sample = features[np.random.default_rng(settings.seed).permutation(len(features))[: settings.num_training]]
        graph = AnchorGraph.fit(
            sample,
            num_anchors=settings.num_anchors,
            num_nearest=settings.num_nearest,
            seed=settings.seed,
            num_training=settings.num_training,
        )
        dense = dense_weights(*graph.weights(sample), graph.num_anchors)
        values, matrix, totals = graph_spectrum(dense)
        if len(values) < self.num_bits:
            raise InvalidSetting("dgh.num_bits", str(self.num_bits), f"at most {len(values)}, the graph's eigenvectors")
        smooth = dense @ matrix[:, : self.num_bits]
        problem = GraphProblem(dense, totals, settings.balance)
        start = rotated_start(smooth, values[: self.num_bits], settings.start, settings.seed)
        codes, objectives = problem.solve(*start, num_rounds=settings.num_rounds, num_steps=settings.num_steps)
        logger.info("dgh: objective %.6g -> %.6g in %d rounds", objectives[0], objectives[-1], len(objectives) - 1)
        self._graph = graph
        self._matrix = (dense.T @ codes / totals[:, None]).astype(np.float32)

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        if self._graph is None or self._matrix is None:
            raise NotFitted(self.method)
        check_feature_rows(features, self._graph.anchors.shape[1])
        anchors, weights = self._graph.weights(features)
        votes = np.zeros((len(features), self.num_bits))
        for place in range(self._graph.num_nearest):
            votes += weights[:, place, None] * self._matrix[anchors[:, place]]
        return BinaryCodes.from_signs(votes)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`anchors` float32 `(num_anchors, num_dims)`, `bandwidth` `(1,)`, `matrix` `(num_anchors, num_bits)`."""
        if self._graph is None or self._matrix is None:
            raise NotFitted(self.method)
        return {"anchors": self._graph.anchors, "bandwidth": self._graph.bandwidth, "matrix": self._matrix}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        anchors = self._settings.num_anchors
        shapes = {"anchors": (anchors, None), "bandwidth": (1,), "matrix": (anchors, self.num_bits)}
        known = require_tensors(self.method, tensors, shapes)
        self._graph = AnchorGraph(known["anchors"], known["bandwidth"], self._settings.num_nearest)
        self._matrix = known["matrix"]


@dataclass(frozen=True, eq=False)
class GraphProblem:
    """maximise tr(B^T A B) + rho tr(B^T Y): `dense` is Z `(num_items, num_anchors)`, `totals` Lambda's diagonal."""

    dense: NDArray[np.float64]
    totals: NDArray[np.float64]
    balance: float

    def smooth(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """A B."""
        product: NDArray[np.float64] = self.dense @ (self.dense.T @ codes / self.totals[:, None])
        return product

    def objective(self, codes: NDArray[np.float64], balanced: NDArray[np.float64]) -> float:
        return float((codes * self.smooth(codes)).sum() + self.balance * (codes * balanced).sum())

    def ascend(self, codes: NDArray[np.float64], balanced: NDArray[np.float64], num_steps: int) -> NDArray[np.float64]:
        """Signed gradient steps B <- sign(2 A B + rho Y), keeping bits with gradient 0, to a fixed point. A is positive
        semi-definite, so the objective never falls (section 3.1)."""
        for _ in range(num_steps):
            gradient = 2 * self.smooth(codes) + self.balance * balanced
            following = np.where(gradient == 0, codes, np.sign(gradient))
            if (following == codes).all():
                break
            codes = following
        return codes

    def solve(
        self, codes: NDArray[np.float64], balanced: NDArray[np.float64], *, num_rounds: int, num_steps: int
    ) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        """Signs float64 `(num_items, num_bits)` and the objective at the start and after every round, never falling."""
        objectives = [self.objective(codes, balanced)]
        for _ in range(num_rounds):
            codes = self.ascend(codes, balanced, num_steps)
            balanced = nearest_balanced(codes)
            objectives.append(self.objective(codes, balanced))
            if objectives[-1] <= objectives[-2] * (1 + 1e-9):
                break
        return codes, tuple(objectives)


def rotated_start(
    smooth: NDArray[np.float64], values: NDArray[np.float64], start: str, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """B and Y to start from, H = `smooth` being the leading eigenvectors: sign(H) and H, or both rotated by the R that
    maximises tr(R^T Theta H^T sign(H Theta R)) in turns."""
    if start == "spectral":
        return np.where(smooth >= 0, 1.0, -1.0), smooth
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))
    scaled = smooth * values
    codes = np.where(scaled @ rotation >= 0, 1.0, -1.0)
    for _ in range(100):
        left, _, right = np.linalg.svd(scaled.T @ codes)
        rotation = left @ right
        following = np.where(scaled @ rotation >= 0, 1.0, -1.0)
        if (following == codes).all():
            break
        codes = following
    return codes, smooth @ rotation


def nearest_balanced(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Y with 1^T Y = 0 and Y^T Y = n I that maximises tr(B^T Y): sqrt(n) U V^T of the centred B = U S V^T, with U
    completed orthogonally to 1 where B has too little rank (section 3.2)."""
    num_items, num_bits = codes.shape
    centred = codes - codes.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    rank = int((values > 1e-8 * num_items).sum())
    basis = np.zeros((num_items, num_bits))
    basis[:, :rank] = centred @ vectors[:, :rank] / np.sqrt(values[:rank])
    rng = np.random.default_rng(0)
    for column in range(rank, num_bits):
        drawn = rng.standard_normal((num_items,))
        for _ in range(2):  # twice is enough for orthogonality in floating point
            drawn -= drawn.mean()
            drawn -= basis[:, :column] @ (basis[:, :column].T @ drawn)
        basis[:, column] = drawn / np.linalg.norm(drawn)
    return np.asarray(np.sqrt(num_items) * basis @ vectors.T)
