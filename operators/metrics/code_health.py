"""Whether codes use their bits: balance, entropy, correlation and how many codes are distinct."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch


@dataclass(frozen=True, kw_only=True)
class CodeHealth:
    """Figures of one set of codes.

    `min_share_of_ones`, `max_share_of_ones`: over bits; 0.5 is balanced. `mean_bit_entropy`: bits of information per
    bit, 0 to 1. `mean_abs_correlation`: mean absolute Pearson correlation over pairs of bits that vary; 0 is
    independent. `num_constant_bits`: bits that are equal in every code. `num_distinct_codes`, and `largest_share`: the
    share of items that the most frequent code holds.
    """

    num_items: int
    num_bits: int
    min_share_of_ones: float
    max_share_of_ones: float
    mean_bit_entropy: float
    mean_abs_correlation: float
    num_constant_bits: int
    num_distinct_codes: int
    largest_share: float


def code_health(codes: BinaryCodes) -> CodeHealth:
    """Raises `ShapeMismatch` when there is no code."""
    if len(codes) == 0:
        raise ShapeMismatch("codes", "none", "at least one")
    shares = codes.to_bits().mean(axis=0, dtype=np.float64)
    _, counts = np.unique(codes.packed, axis=0, return_counts=True)
    return CodeHealth(
        num_items=len(codes),
        num_bits=codes.num_bits,
        min_share_of_ones=float(shares.min()),
        max_share_of_ones=float(shares.max()),
        mean_bit_entropy=float(_entropy(shares).mean()),
        mean_abs_correlation=_mean_abs_correlation(codes.to_bits(), shares),
        num_constant_bits=int(np.count_nonzero((shares == 0) | (shares == 1))),
        num_distinct_codes=len(counts),
        largest_share=float(counts.max() / len(codes)),
    )


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in bits of a coin that shows 1 with probability `shares`; 0 log 0 = 0."""
    both = np.stack([shares, 1 - shares])
    return np.asarray(-(both * np.log2(np.where(both > 0, both, 1))).sum(axis=0))


def _mean_abs_correlation(bits: NDArray[np.bool_], shares: NDArray[np.float64]) -> float:
    varying = (shares > 0) & (shares < 1)
    num_varying = int(np.count_nonzero(varying))
    if num_varying < 2:
        return 0.0
    deviations = bits[:, varying].astype(np.float32) - shares[varying].astype(np.float32)
    covariance = (deviations.T @ deviations).astype(np.float64) / len(bits)
    spread = np.sqrt(shares[varying] * (1 - shares[varying]))
    correlation = np.abs(covariance / np.outer(spread, spread))
    return float((correlation.sum() - np.trace(correlation)) / (num_varying * (num_varying - 1)))
