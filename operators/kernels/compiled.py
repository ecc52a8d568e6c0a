"""`compiled`: Python functions over numbers and arrays as machine code, kept on disk between processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call (seconds), for the machine at hand; later processes load what was kept beside the
    source or, where that cannot be written, in the user's cache. Other threads run while the function does."""
    try:
        kept: Callable[..., Any] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to write: each process compiles for itself
        kept = njit(nogil=True)(function)
    return kept
