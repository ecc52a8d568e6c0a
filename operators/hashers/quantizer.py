"""`Quantizer`: a method whose codes are numbers of codewords, searched by asymmetric distance."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.hashers.hasher import CodeKind, Hasher
from operators.quantization.lookup_tables import LookupTables


class Quantizer(Hasher):
    """Byte m of a code is the number of a codeword in codebook m, so `num_bits` is 8 times the number of codebooks.

    Hamming distance between such codes means nothing. A query keeps its real vector and meets the codes through
    `LookupTables` (Jegou et al., "Product quantization for nearest neighbor search", TPAMI 2011, section III).
    """

    code_kind: ClassVar[CodeKind] = "quantized"

    @abstractmethod
    def lookup_tables(self, features: NDArray[np.float32]) -> LookupTables:
        """Tables of queries `(num_queries, num_dims)`; a query's table does not depend on the others.

        Raises `NotFitted`, `ShapeMismatch` and `NonFiniteFeatures`."""

    @abstractmethod
    def lookup_tables_of(self, codes: BinaryCodes) -> LookupTables:
        """Tables of items of which only the code is known (symmetric distance). Raises `NotFitted`, `ShapeMismatch`."""

    @property
    def training_vectors(self) -> NDArray[np.float32] | None:
        """Of an ablation that quantizes nothing: real vectors learned for the items given to `fit`, float32
        `(num_items, width)`, met by `query_vectors` in inner products; an upper bound, not an index. Else None."""
        return None

    def query_vectors(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """What `training_vectors` are to be met with, float32 `(num_queries, width)`. Raises `InvalidSetting` where
        there are none."""
        raise InvalidSetting(f"{self.method} vectors", "none", "an ablation that quantizes nothing")

    @abstractmethod
    def reconstruct(self, codes: BinaryCodes) -> NDArray[np.float32]:
        """The vectors that the codes stand for, float32 `(num_items, width)` in the space of the codewords."""
