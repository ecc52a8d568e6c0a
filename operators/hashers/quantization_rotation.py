"""The rotation step of iterative quantization (Gong and Lazebnik, CVPR 2011, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class QuantizationRotation:
    """`matrix`: orthogonal float64 `(num_bits, num_bits)`. `errors`: the mean squared distance between rotated rows
    and their signs, before the first step and after each, never rising (eq. 2, divided by the number of rows)."""

    matrix: NDArray[np.float64]
    errors: tuple[float, ...]


def learn_rotation(projected: NDArray[np.float64], *, num_iterations: int, seed: int) -> QuantizationRotation:
    """Minimise ||B - V R||^2 over signs B and rotations R, V being `projected` `(num_items, num_bits)`, centred.

    Each step sets B = sign(V R), then R to the solution of the orthogonal Procrustes problem for V and B. Starts from
    a random rotation drawn with `seed`.
    """
    num_bits = projected.shape[1]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((num_bits, num_bits)))
    signs = _signs(projected @ rotation)
    errors = [_mean_squared_error(signs, projected @ rotation)]
    for _ in range(num_iterations):
        left, _, right = np.linalg.svd(projected.T @ signs)
        rotation = left @ right
        rotated = projected @ rotation
        signs = _signs(rotated)
        errors.append(_mean_squared_error(signs, rotated))
    return QuantizationRotation(rotation, tuple(errors))


def _signs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values >= 0, 1.0, -1.0)


def _mean_squared_error(signs: NDArray[np.float64], rotated: NDArray[np.float64]) -> float:
    return float(np.square(signs - rotated).sum(axis=1).mean())
