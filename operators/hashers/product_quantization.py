"""`ProductQuantization`: PQ (Jegou et al., "Product quantization for nearest neighbor search", TPAMI 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.errors import NotFitted, ShapeMismatch
from operators.hashers.codebook_quantizer import CodebookQuantizer
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import MethodSettings, whole
from operators.quantization.feature_rows import check_feature_rows
from operators.quantization.lookup_tables import NUM_CODEWORDS
from operators.quantization.product_codebooks import ProductCodebooks, subspace_bounds


@dataclass(frozen=True, kw_only=True)
class ProductQuantizationSettings(MethodSettings):
    """`num_iterations` of k-means; words are learned from at most `num_training` items."""

    num_iterations: int = whole(25, minimum=1, maximum=10_000)
    num_training: int = whole(60_000, minimum=NUM_CODEWORDS, maximum=10_000_000)


class ProductQuantization(CodebookQuantizer[ProductQuantizationSettings]):
    """Features as they are, cut into `num_bits / 8` sub-spaces of even width; byte m is the nearest word in the m-th.

    Cost of `fit`: k-means with 256 centres per sub-space. Raises `InvalidSetting` for fewer than 256 items or more
    codebooks than dimensions.
    """

    method: ClassVar[str] = "pq"
    settings_type = ProductQuantizationSettings
    _codebooks: ProductCodebooks | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        settings = self._settings
        rows = np.random.default_rng(settings.seed).permutation(len(features))[: settings.num_training]
        self._codebooks = ProductCodebooks.fit(
            features[np.sort(rows)],
            num_codebooks=self.num_codebooks,
            num_iterations=settings.num_iterations,
            seed=settings.seed,
        )

    @property
    def codebooks(self) -> ProductCodebooks:
        if self._codebooks is None:
            raise NotFitted(self.method)
        return self._codebooks

    def represent(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        check_feature_rows(features, self.codebooks.num_dims)
        return features

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`words` float32 `(num_codebooks, 256, widest sub-space)`, `origin` float32 zeros `(num_dims,)`."""
        return {"words": self.codebooks.to_array(), "origin": np.zeros(self.codebooks.num_dims, np.float32)}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        shapes = {"words": (self.num_codebooks, NUM_CODEWORDS, None), "origin": (None,)}
        known = require_tensors(self.method, tensors, shapes)
        self._codebooks = restored_codebooks(self.method, known["words"], len(known["origin"]))


def restored_codebooks(method: str, words: NDArray[np.float32], num_dims: int) -> ProductCodebooks:
    """Codebooks from `ProductCodebooks.to_array`. Raises `ShapeMismatch` when they do not span `num_dims`."""
    widest = int(np.diff(subspace_bounds(num_dims, len(words))).max()) if num_dims >= len(words) else 0
    if words.shape[2] != widest:
        raise ShapeMismatch(f"{method} words", str(words.shape), f"sub-spaces that span {num_dims} dimensions")
    return ProductCodebooks.from_array(words, num_dims)
