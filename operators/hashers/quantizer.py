"""`Quantizer`: a method whose codes are numbers of codewords, searched by asymmetric distance."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
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

    @abstractmethod
    def reconstruct(self, codes: BinaryCodes) -> NDArray[np.float32]:
        """The vectors that the codes stand for, float32 `(num_items, width)` in the space of the codewords."""
