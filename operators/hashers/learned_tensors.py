"""Check the arrays that a method is restored from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch


def require_tensors(
    method: str, tensors: Mapping[str, NDArray[np.generic]], shapes: Mapping[str, tuple[int | None, ...]]
) -> dict[str, NDArray[np.float32]]:
    """Exactly the float32 arrays named in `shapes`, finite, each of its shape (None: any length).

    Raises `ShapeMismatch` naming the method and the array.
    """
    if tensors.keys() != shapes.keys():
        raise ShapeMismatch(f"{method} tensors", ", ".join(sorted(tensors)), ", ".join(sorted(shapes)))
    checked = {}
    for name, shape in shapes.items():
        tensor = tensors[name]
        fits = len(tensor.shape) == len(shape) and all(
            wanted in (None, given) for wanted, given in zip(shape, tensor.shape, strict=True)
        )
        if tensor.dtype != np.float32 or not fits or not np.isfinite(tensor).all():
            expected = f"finite float32 {tuple('any' if length is None else length for length in shape)}"
            raise ShapeMismatch(f"{method} {name}", f"{tensor.dtype} {tensor.shape}", expected)
        checked[name] = np.asarray(tensor, dtype=np.float32)
    return checked
