"""`OptimizedProductQuantization`: OPQ (Ge, He, Ke and Sun, "Optimized product quantization", CVPR 2013)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.errors import NotFitted
from operators.hashers.codebook_quantizer import CodebookQuantizer
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import MethodSettings, whole
from operators.hashers.principal_components import principal_components
from operators.hashers.product_quantization import restored_codebooks
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows
from operators.quantization.lookup_tables import NUM_CODEWORDS
from operators.quantization.product_codebooks import ProductCodebooks, subspace_bounds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class OptimizedProductQuantizationSettings(MethodSettings):
    """`num_iterations` of rotation and words in turn; learned from at most `num_training` items."""

    num_iterations: int = whole(20, minimum=1, maximum=10_000)
    num_training: int = whole(20_000, minimum=NUM_CODEWORDS, maximum=10_000_000)


class OptimizedProductQuantization(CodebookQuantizer[OptimizedProductQuantizationSettings]):
    """PQ after a rotation R that makes (x - mu) R easy to code: R and the words are learned in turn (section 3.2).

    Starts from the parametric solution (section 3.1): principal directions dealt out so that the sub-spaces hold equal
    products of variances. Cost of `fit`: num_iterations times (assignment + one SVD of d x d).
    """

    method: ClassVar[str] = "opq"
    settings_type = OptimizedProductQuantizationSettings
    _rotation: ExactProjection | None = None
    _codebooks: ProductCodebooks | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        settings = self._settings
        subspace_bounds(features.shape[1], self.num_codebooks)
        sample = features[np.random.default_rng(settings.seed).permutation(len(features))[: settings.num_training]]
        mean, variances, directions = principal_components(sample)
        start = directions[:, balanced_order(variances, self.num_codebooks)]
        centred = sample - mean.astype(np.float32)
        rotation, self._codebooks, errors = rotate_and_code(
            centred, start, num_codebooks=self.num_codebooks, num_iterations=settings.num_iterations, seed=settings.seed
        )
        logger.info("opq: mean squared error %.6g -> %.6g", errors[0], errors[-1])
        self._rotation = ExactProjection(mean.astype(np.float32), np.ascontiguousarray(rotation, dtype=np.float32))

    @property
    def codebooks(self) -> ProductCodebooks:
        if self._codebooks is None:
            raise NotFitted(self.method)
        return self._codebooks

    def represent(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._rotation is None:
            raise NotFitted(self.method)
        return self._rotation.project(features).astype(np.float32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean` float32 `(num_dims,)`, `projection` (the rotation) float32 `(num_dims, num_dims)`, `words` float32
        `(num_codebooks, 256, widest sub-space)`."""
        if self._rotation is None:
            raise NotFitted(self.method)
        return {**self._rotation.tensors(), "words": self.codebooks.to_array()}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        shapes = {"mean": (None,), "projection": (None, None), "words": (self.num_codebooks, NUM_CODEWORDS, None)}
        known = require_tensors(self.method, tensors, shapes)
        self._rotation = ExactProjection(known["mean"], known["projection"])
        self._codebooks = restored_codebooks(self.method, known["words"], known["projection"].shape[1])


def balanced_order(variances: NDArray[np.float64], num_codebooks: int) -> NDArray[np.int64]:
    """Eigenvalue allocation: each direction, by falling variance, goes to the sub-space with room whose product of
    variances is smallest so far. The order puts sub-space 0 first."""
    bounds = subspace_bounds(len(variances), num_codebooks)
    room = np.diff(bounds)
    logs = np.log(np.maximum(variances, variances[0] * 1e-12 + 1e-300))
    logs -= logs.min()
    members: list[list[int]] = [[] for _ in range(num_codebooks)]
    products = np.zeros(num_codebooks)
    for direction, value in enumerate(logs):
        open_books = [book for book in range(num_codebooks) if len(members[book]) < room[book]]
        chosen = min(open_books, key=lambda book: products[book])
        members[chosen].append(direction)
        products[chosen] += value
    return np.array([direction for book in members for direction in book], np.int64)


def rotate_and_code(
    rows: NDArray[np.float32], start: NDArray[np.float64], *, num_codebooks: int, num_iterations: int, seed: int
) -> tuple[NDArray[np.float64], ProductCodebooks, tuple[float, ...]]:
    """Rotation float64 `(num_dims, num_dims)`, codebooks, and the mean squared error after each iteration, which never
    rises: words are means of their rows, R solves the orthogonal Procrustes problem (eq. 7)."""
    rotation = start
    rotated = (rows @ rotation).astype(np.float32)
    books = ProductCodebooks.fit(rotated, num_codebooks=num_codebooks, num_iterations=1, seed=seed)
    errors = []
    for _ in range(num_iterations):
        codes = books.assign(rotated)
        books = books.with_means(rotated, codes)
        decoded = books.reconstruct(codes)
        errors.append(float(np.square(rotated - decoded).sum(axis=1).mean(dtype=np.float64)))
        left, _, right = np.linalg.svd(rows.T.astype(np.float64) @ decoded)
        rotation = left @ right
        rotated = (rows @ rotation).astype(np.float32)
    return rotation, books, tuple(errors)
