"""`spread_codes`: real codes to start from, in which near items are near already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.hashers.principal_components import principal_components


def spread_codes(features: NDArray[np.float32], *, num_bits: int, scale: float, seed: int) -> NDArray[np.float32]:
    """float32 `(num_items, num_bits)`: the first principal components, rotated at random so that all bits count
    alike; of mean 0 and root mean square `scale`. Items must not be all the same."""
    mean, _, directions = principal_components(features)
    kept = directions[:, :num_bits]
    mixed, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((num_bits, kept.shape[1])))
    projection = kept @ mixed.T
    codes = features @ projection.astype(np.float32) - (mean @ projection).astype(np.float32)
    return np.asarray(codes * (scale / np.sqrt(np.square(codes, dtype=np.float64).mean())), np.float32)
