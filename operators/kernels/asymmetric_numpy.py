"""Asymmetric distances with numpy: look up and add."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch
from operators.quantization.lookup_tables import LookupTables


def asymmetric_distances(tables: LookupTables, columns: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distance of every query to every code, float32 `(num_queries, num_codes)`.

    `columns`: uint8 `(num_codebooks, num_codes)`, the transpose of packed codes. Terms are added in float32 from
    codebook 0 on, so neither block sizes nor other codes change a bit. Raises `ShapeMismatch` for another number of
    codebooks.
    """
    if columns.dtype != np.uint8 or columns.ndim != 2 or len(columns) != tables.num_codebooks:
        expected = f"uint8 ({tables.num_codebooks}, num_codes)"
        raise ShapeMismatch("code columns", f"{columns.dtype} {columns.shape}", expected)
    distances = tables.values[:, 0][:, columns[0]]
    for codebook in range(1, tables.num_codebooks):
        distances += tables.values[:, codebook][:, columns[codebook]]
    return distances
