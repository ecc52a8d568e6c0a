"""`CodebookQuantizer`: what methods share whose codes are words of product codebooks over some representation."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.hashers.method_settings import Settings
from operators.hashers.quantizer import Quantizer
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.lookup_tables import LookupTables
from operators.quantization.product_codebooks import ProductCodebooks


class CodebookQuantizer(SettingsHasher[Settings], Quantizer):
    """A method says how features become rows (`represent`) and which `codebooks` these rows are coded with.

    Distances are squared Euclidean ones in the space of the rows. Raises `InvalidSetting` unless `num_bits` is a
    multiple of 8: a codebook of 256 words is one byte.
    """

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        if self.num_bits % 8:
            raise InvalidSetting(
                f"{self.method}.num_bits", str(self.num_bits), "a multiple of 8, one byte per codebook"
            )

    @property
    def num_codebooks(self) -> int:
        return self.num_bits // 8

    @property
    @abstractmethod
    def codebooks(self) -> ProductCodebooks:
        """Raises `NotFitted`."""

    @abstractmethod
    def represent(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features `(num_items, num_dims)` to the rows that are coded, float32 `(num_items, codebooks.num_dims)`, each
        depending on its own features only. Raises `NotFitted`, `ShapeMismatch` and `NonFiniteFeatures`."""

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes(self.codebooks.assign(self.represent(features)), self.num_bits)

    def lookup_tables(self, features: NDArray[np.float32]) -> LookupTables:
        return self.codebooks.distance_tables(self.represent(features))

    def lookup_tables_of(self, codes: BinaryCodes) -> LookupTables:
        return self.codebooks.distance_tables(self.reconstruct(codes))

    def reconstruct(self, codes: BinaryCodes) -> NDArray[np.float32]:
        if codes.num_bits != self.num_bits:
            raise ShapeMismatch("codes", f"{codes.num_bits} bits", f"{self.num_bits} bits")
        return self.codebooks.reconstruct(codes.packed)
