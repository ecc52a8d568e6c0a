"""`SimilarityPreservingQuantization`: SPDAQ (Chen and Cheung, "Similarity preserving deep asymmetric quantization for
image retrieval", AAAI 2019). Equations reconstructed: `SimilarityQuantizationSettings` lists the choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted, ShapeMismatch
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.network_hasher import NetworkHasher
from operators.hashers.quantized_database import QuantizedDatabase
from operators.hashers.quantizer import Quantizer
from operators.hashers.similarity_quantization_run import SimilarityQuantizationRun
from operators.hashers.similarity_quantization_settings import SimilarityQuantizationSettings
from operators.networks.network_registry import create_network
from operators.quantization.composite_codebooks import CompositeCodebooks
from operators.quantization.feature_rows import check_feature_rows
from operators.quantization.lookup_tables import NUM_CODEWORDS, LookupTables
from operators.training.class_labels import label_matrix, require_labels
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers

# Every two words have an inner product in memory while codes are fitted: 4096^2 numbers at 16 codebooks.
_MAX_BITS = 128


class SimilarityPreservingQuantization(NetworkHasher[SimilarityQuantizationSettings], Quantizer):
    """A network embeds sampled items; composite codes are learned for all items, so that inner products fit labels.

    `training_codes` are the learned codes of the items given to `fit` (they know those items' labels); `encode` codes
    what the network gives, without labels. Distance is the negative inner product of query output and decoded code.
    Cost of a round: one pass of the network over the sampled items, O(N width) for codes; nothing of size N x M.
    """

    method: ClassVar[str] = "spdaq"
    settings_type = SimilarityQuantizationSettings
    needs_labels: ClassVar[bool] = True
    _books: CompositeCodebooks | None = None
    _training_codes: BinaryCodes | None = None
    _training_vectors: NDArray[np.float32] | None = None

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        if self.num_bits % 8 or self.num_bits > _MAX_BITS:
            expected = f"a multiple of 8 up to {_MAX_BITS}, one byte per codebook"
            raise InvalidSetting("spdaq.num_bits", str(self.num_bits), expected)

    def new_network(self, num_dims: int) -> torch.nn.Module:
        settings = self._settings
        return create_network(settings.network, num_dims=num_dims, num_outputs=settings.width, seed=settings.seed)

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        classes = label_matrix(require_labels(self.method, labels, len(features)))
        network = self.new_network(features.shape[1]).to(workers.device)
        return SimilarityQuantizationRun(self, network, features, classes, workers)

    def take(self, network: torch.nn.Module, num_dims: int, database: QuantizedDatabase) -> None:
        """Encode with these from now on."""
        self.take_network(network, num_dims)
        self._books = database.books
        codes, vectors = database.learned_codes, database.unquantized_vectors
        self._training_codes = None if codes is None else BinaryCodes(codes.copy(), self.num_bits)
        self._training_vectors = None if vectors is None else vectors.copy()

    @property
    def training_vectors(self) -> NDArray[np.float32] | None:
        """With the ablation "nQ". Known after `fit` until the process ends; no part of the state."""
        return self._training_vectors

    def query_vectors(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.outputs(features)

    @property
    def training_codes(self) -> BinaryCodes | None:
        return self._training_codes

    @property
    def books(self) -> CompositeCodebooks:
        if self._books is None:
            raise NotFitted(self.method)
        return self._books

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        outputs = self.outputs(features)
        return BinaryCodes(self.books.encode(outputs, num_sweeps=self._settings.num_sweeps), self.num_bits)

    def lookup_tables(self, features: NDArray[np.float32]) -> LookupTables:
        return self._tables(self.outputs(features))

    def lookup_tables_of(self, codes: BinaryCodes) -> LookupTables:
        return self._tables(self.reconstruct(codes))

    def reconstruct(self, codes: BinaryCodes) -> NDArray[np.float32]:
        if codes.num_bits != self.num_bits:
            raise ShapeMismatch("codes", f"{codes.num_bits} bits", f"{self.num_bits} bits")
        return self.books.decode(codes.packed)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`network.*`, `num_dims`, and `words` float32 `(num_codebooks, 256, width)`."""
        return {**super().tensors(), "words": self.books.words}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        super().load_tensors({name: tensor for name, tensor in tensors.items() if name != "words"})
        shape = (self.num_bits // 8, NUM_CODEWORDS, self._settings.width)
        words = {name: tensor for name, tensor in tensors.items() if name == "words"}
        self._books = CompositeCodebooks(require_tensors(self.method, words, {"words": shape})["words"])

    def _tables(self, vectors: NDArray[np.float32]) -> LookupTables:
        inner = self.books.inner_products(vectors)
        return LookupTables((-inner).astype(np.float32).reshape(-1, *self.books.words.shape[:2]))
