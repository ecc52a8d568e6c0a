"""`BinaryCodes`: packed binary codes, and the only statement of bit order in the project.

Bit j of a code is bit `7 - j % 8` of byte `j // 8` (most significant bit first, as `numpy.packbits`);
bits past `num_bits` in the last byte are zero. A value >= 0 packs to 1, a value < 0 to 0, so sign(0) = +1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch


def num_code_bytes(num_bits: int) -> int:
    """Bytes that hold one packed code of `num_bits` bits."""
    return (num_bits + 7) // 8


@dataclass(frozen=True, eq=False)
class BinaryCodes:
    """`packed`: uint8 `(num_items, ceil(num_bits / 8))`, most significant bit first; `num_bits` >= 1.

    Raises `ShapeMismatch` for another dtype, rank or width, and for padding bits that are not zero.
    """

    packed: NDArray[np.uint8]
    num_bits: int

    def __post_init__(self) -> None:
        if self.num_bits < 1:
            raise ShapeMismatch("num_bits", str(self.num_bits), "at least 1")
        expected = f"uint8 (num_items, {num_code_bytes(self.num_bits)}) for {self.num_bits} bits"
        given = f"{self.packed.dtype} {self.packed.shape}"
        if self.packed.dtype != np.uint8 or self.packed.ndim != 2:
            raise ShapeMismatch("packed codes", given, expected)
        if self.packed.shape[1] != num_code_bytes(self.num_bits):
            raise ShapeMismatch("packed codes", given, expected)
        num_padding_bits = -self.num_bits % 8
        if num_padding_bits and np.any(self.packed[:, -1] & ((1 << num_padding_bits) - 1)):
            raise ShapeMismatch("padding bits", "ones", f"zeros after bit {self.num_bits}")

    @classmethod
    def from_bits(cls, bits: NDArray[np.bool_]) -> BinaryCodes:
        """Pack booleans `(num_items, num_bits)`."""
        if bits.ndim != 2:
            raise ShapeMismatch("bits", str(bits.shape), "(num_items, num_bits)")
        return cls(np.packbits(bits.astype(bool), axis=1), bits.shape[1])

    @classmethod
    def from_signs(cls, values: NDArray[np.floating]) -> BinaryCodes:
        """Pack real values `(num_items, num_bits)`: >= 0 becomes 1, < 0 becomes 0."""
        return cls.from_bits(values >= 0)

    @classmethod
    def from_hex(cls, text: str, num_bits: int) -> BinaryCodes:
        """One code from its hexadecimal form; raises `ShapeMismatch` for another width or other characters."""
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raise ShapeMismatch("code", repr(text), f"{2 * num_code_bytes(num_bits)} hexadecimal digits") from None
        if len(raw) != num_code_bytes(num_bits):
            raise ShapeMismatch(
                "code", f"{len(raw) * 8} bits", f"{num_bits} bits ({2 * num_code_bytes(num_bits)} hex digits)"
            )
        return cls(np.frombuffer(raw, dtype=np.uint8).reshape(1, -1), num_bits)

    def to_bits(self) -> NDArray[np.bool_]:
        """Unpack to booleans `(num_items, num_bits)`."""
        return np.unpackbits(self.packed, axis=1, count=self.num_bits).astype(bool)

    def to_hex(self) -> list[str]:
        """One lower-case hexadecimal string per item."""
        return [row.tobytes().hex() for row in self.packed]

    def __len__(self) -> int:
        return int(self.packed.shape[0])

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> BinaryCodes:
        return BinaryCodes(self.packed[rows], self.num_bits)

    def __repr__(self) -> str:
        return f"BinaryCodes(num_items={len(self)}, num_bits={self.num_bits})"


def concatenate(parts: list[BinaryCodes]) -> BinaryCodes:
    """Join codes of one width, in order; raises `ShapeMismatch` when widths differ or `parts` is empty."""
    if not parts:
        raise ShapeMismatch("parts", "none", "at least one BinaryCodes")
    widths = sorted({part.num_bits for part in parts})
    if len(widths) != 1:
        raise ShapeMismatch("num_bits", str(widths), "one width")
    return BinaryCodes(np.concatenate([part.packed for part in parts]), widths[0])
